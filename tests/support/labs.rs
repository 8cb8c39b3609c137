//! Labs that tests write.

/// A lab without images.
pub(crate) const SMALL_LAB: &str = "\
lab: small
title: A small lab
level: beginner
time: 5m
needs: {kind: '>=0.27', kubectl: '>=1.31'}
steps:
- id: cluster
  title: Create a cluster
  do: {kind-cluster: {template: three-workers}}
  expect: {within: 10s, all: [{nodes-ready: {count: 4}}]}
- id: app
  title: Start the application
  do: {apply: {path: manifests/app.yaml}}
  expect: {within: 10s, all: [{rollout-complete: {of: deployment/app}}]}
  record: {before: {pod: app-0, claim: data-app-0}}
- id: kill
  title: Kill it
  do: {delete-pod: {name: app-0, since: before}}
  undo: none
  expect: {within: 10s, all: [{pvc-reattached: {pod: app-0, since: before}}]}
";

/// A lab with an image and a node image.
pub(crate) const IMAGE_LAB: &str = "\
lab: small
title: A small lab with an image
level: beginner
time: 5m
images: [docker.io/library/app:1]
steps:
- id: cluster
  title: Create a cluster
  do: {kind-cluster: {template: three-workers, image: 'docker.io/kindest/node:v1.34.11'}}
  expect: {within: 10s, all: [{nodes-ready: {count: 4}}]}
";

/// The manifest that [`SMALL_LAB`] applies.
pub(crate) const MANIFEST: &str = "\
apiVersion: v1
kind: Service
metadata: {name: app}
";

/// A lab with a step of each kind, for the make-believe cluster.
pub(crate) const CRASH_LAB: &str = "\
lab: crash
title: A lab with a step of each kind
level: beginner
time: 5m
images: [docker.io/library/app:1]
steps:
- id: cluster
  title: Create a cluster
  do: {kind-cluster: {template: three-workers}}
  expect: {within: 20s, all: [{nodes-ready: {count: 4}}]}
- id: app
  title: Start the application
  do: {apply: {path: manifests/app.yaml}}
  expect: {within: 20s, all: [{rollout-complete: {of: statefulset/app}}]}
- id: write
  title: Write something
  do: {exec: {in: app-0, command: [write]}}
  expect:
    within: 20s
    all: [{object: {api-version: v1, kind: ConfigMap, name: written, match: {data: {note: once}}}}]
  record: {before: {pod: app-0, claim: data-app-0}}
- id: kill
  title: Kill it
  steady: [{rollout-complete: {of: statefulset/app}}]
  do: {delete-pod: {name: app-0, since: before}}
  undo: none
  expect: {within: 20s, all: [{pvc-reattached: {pod: app-0, since: before}}]}
- id: drain
  title: Take its node away
  steady: [{rollout-complete: {of: statefulset/app}}]
  do: {drain: {node-of: before}}
  undo: {uncordon: {node-of: before}}
  until: uncordon
  expect:
    within: 20s
    all:
    - object:
        {api-version: v1, kind: Node, name: lab-crash-worker2, match: {spec: {unschedulable: true}}}
- id: cut
  title: Cut its connections
  do: {toxic: {service: toxiproxy, proxy: database, name: cut, type: reset_peer}}
  until: look
- id: look
  title: Look at it
  do: observe
  expect: {within: 20s, all: [{rollout-complete: {of: statefulset/app}}]}
- id: uncordon
  title: Give its node back
  do: {uncordon: {node-of: before}}
  expect:
    within: 20s
    all:
    - object:
        {api-version: v1, kind: Node, name: lab-crash-worker2, match: {spec: {unschedulable: false}}}
";
