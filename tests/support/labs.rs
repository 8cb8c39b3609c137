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
