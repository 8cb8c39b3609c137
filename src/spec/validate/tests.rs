use super::*;

fn faults(lab_yaml: &str) -> Vec<String> {
    let tree = LabTree {
        origin: "a test".into(),
        files: [
            (LAB_FILE.to_owned(), lab_yaml.as_bytes().to_vec()),
            (
                "manifests/a.yaml".to_owned(),
                b"apiVersion: v1\nkind: Pod\n".to_vec(),
            ),
        ]
        .into(),
    };
    let known = Known {
        kind_templates: ["three-workers".to_owned()].into(),
        image_sources: ["demo-web".to_owned()].into(),
    };
    match load(&tree, &known) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|f| f.text).collect(),
    }
}

const HEAD: &str = "lab: t\ntitle: T\nlevel: beginner\ntime: 10m\nsteps:\n";

#[test]
fn a_sound_lab_has_no_faults() {
    let steps = "- {id: a, title: A, do: {kind-cluster: {template: three-workers}}}\n\
                 - {id: b, title: B, do: {apply: {path: manifests/a.yaml}}}\n";
    assert_eq!(faults(&format!("{HEAD}{steps}")), Vec::<String>::new());
}

#[test]
fn every_dangling_reference_is_reported_at_once() {
    let steps = "- {id: a, title: A, do: {kind-cluster: {template: tree-workers}}, until: z}\n\
                 - {id: a, title: B, do: {apply: {path: manifests/b.yaml}}, until: a}\n\
                 - {id: c, title: C, do: {delete-pod: {name: p, since: before}}}\n\
                 - {id: d, title: D, do: {drain: {node-of: before}}}\n\
                 - {id: e, title: E, do: {apply: {path: ../x.yaml}}}\n";
    insta::assert_snapshot!(faults(&format!("{HEAD}{steps}")).join("\n"), @r"
    lab.yaml: step `a`: there is no kind template `tree-workers`; did you mean `three-workers`?
    lab.yaml: step `a`: there is no later step `z`
    lab.yaml: step `a`: another step has this id already
    lab.yaml: step `a`: there is no file `manifests/b.yaml`; did you mean `manifests/a.yaml`?
    lab.yaml: step `a`: `until: a` has to name a later step
    lab.yaml: step `c`: no earlier step records a fact `before`
    lab.yaml: step `d`: `drain` is a fault: say how it is taken back with `undo`
    lab.yaml: step `d`: no earlier step records a fact `before`
    lab.yaml: step `e`: `../x.yaml` leads out of the lab
    ");
}

#[test]
fn parameters_and_what_depends_on_them_are_checked_with_every_combination() {
    let head = HEAD.replace(
        "steps:",
        "params:\n\
         \x20 ingress: {about: Which, choices: [nginx, traefik, nginx], default: ngin}\n\
         \x20 Size: {about: How large, choices: [], default: s}\n\
         \x20 wide: {about: How wide, choices: [a b, c], default: c}\n\
         images: [{image: a:1, when: {ingres: nginx}}]\n\
         steps:",
    );
    let steps = "- {id: a, title: A, do: observe, when: {ingress: [trafik]}}\n\
                 - {id: b, title: B, do: observe, when: {wide: []}}\n";
    insta::assert_snapshot!(faults(&format!("{head}{steps}")).join("\n"), @r"
    lab.yaml: parameter `Size`: a name is lower-case letters, digits and `-`
    lab.yaml: parameter `Size`: `choices` is empty
    lab.yaml: parameter `ingress`: `nginx` stands in `choices` twice
    lab.yaml: parameter `ingress`: its default `ngin` is none of its `choices`; did you mean `nginx`?
    lab.yaml: parameter `wide`: `a b` has to be letters, digits, `-`, `.` and `_`
    lab.yaml: step `a`: `when`: `ingress` is never `trafik`; did you mean `traefik`?
    lab.yaml: step `b`: `when` has no value for `wide`: it would never be there
    lab.yaml: image `a:1`: `when` names no parameter with `ingres`; did you mean `ingress`?
    lab.yaml: `steps` is empty
    ");
    let head = HEAD.replace(
        "steps:",
        "params:\n  ingress: {about: Which, choices: [nginx, traefik, gateway], default: nginx}\n\
         \x20 size: {about: How large, choices: [small, large], default: small}\nsteps:",
    );
    let steps = "- {id: a, title: A, do: observe, until: c}\n\
                 - {id: b, title: B, do: {apply: {path: manifests/b.yaml}}, when: {ingress: traefik, size: large}}\n\
                 - {id: c, title: C, do: observe, when: {ingress: [nginx, traefik]}}\n\
                 - {id: d, title: D, do: observe, until: z}\n\
                 - {id: e, title: E, do: observe, when: {ingress: nginx}}\n\
                 - {id: e, title: E, do: observe, when: {ingress: traefik}}\n";
    insta::assert_snapshot!(faults(&format!("{head}{steps}")).join("\n"), @r"
    lab.yaml: step `d`: there is no later step `z`
    lab.yaml: step `b`: there is no file `manifests/b.yaml`; did you mean `manifests/a.yaml`? (with ingress=traefik, size=large)
    lab.yaml: step `a`: there is no later step `c` (with ingress=gateway, size=small, and 1 more)
    ");
}

#[test]
fn what_an_image_is_built_from_is_there() {
    let head = HEAD.replace(
        "steps:",
        "images:\n\
         - {image: a:1, build: {sources: demo-wep}}\n\
         - {image: b:1, build: {sources: demo-web}}\n\
         - {image: c:1, build: {context: manifests}}\n\
         - {image: d:1, build: {context: ../d}}\n\
         - {image: e:1, build: {args: {A: b}}}\n\
         - {image: 'postgres:17', build: {context: manifests}}\n\
         steps:",
    );
    let steps = "- {id: a, title: A, do: observe}\n";
    insta::assert_snapshot!(faults(&format!("{head}{steps}")).join("\n"), @r"
    lab.yaml: image `a:1`: labctl brings no sources `demo-wep` along; did you mean `demo-web`?
    lab.yaml: image `c:1`: there is no file `manifests/Dockerfile`
    lab.yaml: image `d:1`: `../d` leads out of the lab
    lab.yaml: image `d:1`: there is no file `../d/Dockerfile`
    lab.yaml: image `e:1`: `build` needs either `sources` or a `context`
    lab.yaml: image `postgres:17`: an image that a lab builds cannot have the name of a published one
    lab.yaml: image `postgres:17`: there is no file `manifests/Dockerfile`
    ");
}

#[test]
fn what_is_taken_from_elsewhere_is_pinned() {
    let steps = "- {id: a, title: A, do: {apply: {url: 'http://example.org/a.yaml'}}}\n\
                 - {id: b, title: B, do: {apply: {url: 'https://e.org/a', path: manifests/a.yaml}}}\n\
                 - {id: c, title: C, do: {apply: {path: manifests/a.yaml, sha256: 'ab'}}}\n\
                 - {id: d, title: D, do: {apply: {url: 'http://127.0.0.1.e.org/a', sha256: AB}}}\n\
                 - {id: e, title: E, do: {helm: {release: App, chart: 'oci://r.org/app:1'}}}\n\
                 - {id: f, title: F, do: {helm: {release: app, version: '>=1', digest: 'sha256:0', \
                 chart: {repository: 'http://r.org', name: app}}}}\n\
                 - {id: g, title: G, do: {helm: {release: app, chart: charts/app, version: 1.0.0, \
                 values: values/app.yaml}}}\n\
                 - {id: h, title: H, do: {helm: {release: app, chart: ../app, namespace: a/b}}}\n";
    insta::assert_snapshot!(faults(&format!("{HEAD}{steps}")).join("\n"), @r"
    lab.yaml: step `a`: `http://example.org/a.yaml` has to begin with https://
    lab.yaml: step `a`: `url` needs a `sha256`, which says what is there
    lab.yaml: step `b`: `apply` needs a `path`, a `url` or an `output`, and only one
    lab.yaml: step `c`: `sha256` is of a `url`: nothing else has one
    lab.yaml: step `d`: `http://127.0.0.1.e.org/a` has to begin with https://
    lab.yaml: step `d`: `sha256: AB` has to be 64 digits from 0 to f
    lab.yaml: step `e`: `release: App` has to be lower-case letters, digits and `-`, at most 53 of them
    lab.yaml: step `e`: `chart: oci://r.org/app:1` has to be without tag and digest: write `version` and `digest`
    lab.yaml: step `e`: a chart from elsewhere needs a `version`
    lab.yaml: step `f`: `http://r.org` has to begin with https://
    lab.yaml: step `f`: `version: >=1` has to be one version, such as 1.2.3
    lab.yaml: step `f`: `digest: sha256:0` has to be sha256: and 64 digits from 0 to f
    lab.yaml: step `g`: there is no chart `charts/app`: no file `charts/app/Chart.yaml`
    lab.yaml: step `g`: `version` and `digest` are of a chart from elsewhere: `charts/app` is in the lab
    lab.yaml: step `g`: there is no file `values/app.yaml`
    lab.yaml: step `h`: `namespace: a/b` is no name of a namespace
    lab.yaml: step `h`: `../app` leads out of the lab
    lab.yaml: step `h`: there is no chart `../app`: no file `../app/Chart.yaml`
    ");
    let steps = format!(
        "- {{id: a, title: A, do: {{apply: {{url: 'https://e.org/a', sha256: {hex}, server-side: true}}}}}}\n\
         - {{id: b, title: B, do: {{apply: {{url: 'http://localhost:80/a', sha256: {hex}}}}}}}\n\
         - {{id: c, title: C, do: {{helm: {{release: app, chart: 'oci://r.org:5000/app', version: v1.0.0-rc.1, \
         digest: 'sha256:{hex}', set: {{a.b: [1, x]}}}}}}}}\n",
        hex = "0a".repeat(32),
    );
    assert_eq!(faults(&format!("{HEAD}{steps}")), [""; 0]);
}

#[test]
fn what_holds_during_a_step_is_about_a_fault_and_refers_to_what_is_recorded() {
    let steps = "- {id: a, title: A, do: observe, during: {all: [{nodes-ready: {count: 1}}]}}\n\
                 - {id: b, title: B, do: observe, undo: none, during: {all: []}}\n\
                 - {id: c, title: C, do: observe, undo: none, during: {interrupted-at-most: 5s, all: \
                 [{pvc-reattached: {pod: p, since: before}}]}}\n\
                 - {id: d, title: D, do: observe, undo: none, during: {interrupted-at-most: 5s, all: \
                 [{nodes-ready: {count: 1}}]}}\n";
    insta::assert_snapshot!(faults(&format!("{HEAD}{steps}")).join("\n"), @r"
    lab.yaml: step `a`: `during` is about what a step does, and `observe` does nothing
    lab.yaml: step `b`: `during` has neither an assertion under `all` nor a `load`
    lab.yaml: step `c`: no earlier step records a fact `before`
    ");
}

#[test]
fn ports_and_requests_through_them_are_checked() {
    let steps = "- {id: a, title: A, do: {kind-cluster: {template: three-workers, ports: [{name: \
                 http, host: 80, node: 80}, {name: http, host: 0, node: 80}]}}}\n\
                 - {id: b, title: B, do: observe, expect: {within: 1s, all: [{http: {port: htp, \
                 path: a b, status: 20, times: 0}}]}}\n\
                 - {id: c, title: C, do: {apply: {path: manifests/a.yaml}}, during: {load: \
                 {http: {port: http}, rate: 0, failed-at-least: 2, failed-at-most: 1}}}\n\
                 - {id: d, title: D, do: {apply: {path: manifests/a.yaml}}, during: {load: \
                 {http: {port: http}, rate: 50, at-least: 500}}}\n";
    insta::assert_snapshot!(faults(&format!("{HEAD}{steps}")).join("\n"), @r"
    lab.yaml: step `a`: two ports are called `http`
    lab.yaml: step `a`: the port `http` cannot be 0
    lab.yaml: step `a`: two ports lead to port 80 of the node
    lab.yaml: step `b`: `http`: the step `kind-cluster` maps no port `htp`; did you mean `http`?
    lab.yaml: step `b`: `http`: the path `a b` has to begin with `/`, without spaces or other letters
    lab.yaml: step `b`: `http`: 20 is no status
    lab.yaml: step `b`: `http`: `times` is from 1 to 100
    lab.yaml: step `c`: `load`: `rate` is from 1 to 200 a second
    lab.yaml: step `c`: `load`: more have to fail than may
    ");
}

#[test]
fn an_unknown_key_is_shown_where_it_stands() {
    let steps = "- {id: a, title: A, do: observe, expects: {}}\n";
    let text = faults(&format!("{HEAD}{steps}")).join("\n");
    assert!(text.starts_with("lab.yaml:6:"), "{text}");
    assert!(text.contains("expects"), "{text}");
}

#[test]
fn near_names_are_offered_and_far_ones_are_not() {
    let known = ["three-workers", "single"];
    assert_eq!(
        nearest("tree-workers", known.iter()),
        "; did you mean `three-workers`?"
    );
    assert_eq!(nearest("postgres", known.iter()), "");
}

#[test]
fn every_name_that_is_none_is_shown_where_it_stands() {
    let head = HEAD.replace(
        "steps:",
        "images: ['..', {image: '../x', build: {sources: demo-web}}, 'a:1']\nsteps:",
    );
    let steps = "- {id: ../a, title: A, do: {kind-cluster: {template: three-workers, image: '-x'}}}\n\
                 - {id: b, title: B, do: {tool: {name: ../../sh, version: '1', version-arguments: [version]}}}\n\
                 - {id: c, title: C, do: observe, until: ../c}\n\
                 - {id: d, title: D, do: {apply: {output: {of: /bin/sh, arguments: [a]}}}}\n";
    let faults = faults(&format!("{head}{steps}"));
    let first = |fault: &String| fault.lines().next().unwrap_or_default().to_owned();
    let firsts: Vec<String> = faults.iter().map(first).collect();
    insta::assert_snapshot!(firsts.join("\n"), @r"
    lab.yaml: `..` is no image: write it as docker.io/library/postgres:17
    lab.yaml:5:24: `../x` is no image: write it as docker.io/library/postgres:17
    lab.yaml:7:8: `../a` cannot be the id of a step: use lower-case letters, digits and `-`, at most 63 of them
    lab.yaml:7:76: `-x` is no image: write it as docker.io/library/postgres:17
    lab.yaml:8:39: `../../sh` cannot name a tool: use lower-case letters, digits and `-`, at most 63 of them
    lab.yaml:9:41: `../c` cannot be the id of a step: use lower-case letters, digits and `-`, at most 63 of them
    lab.yaml:10:47: `/bin/sh` cannot name a tool: use lower-case letters, digits and `-`, at most 63 of them
    ");
    assert!(faults[2].contains("\n  7 | - {id: ../a,"), "{}", faults[2]);
}

#[test]
fn more_combinations_than_are_checked_are_never_made() {
    let choices = "choices: [a, b, c, d, e, f, g, h, i, j]";
    let param = |n: usize| format!("  p{n}: {{about: A, {choices}, default: a}}\n");
    for params in [2, 12, 400] {
        let params: String = (0..params).map(param).collect();
        let head = HEAD.replace("steps:", &format!("params:\n{params}steps:"));
        assert_eq!(
            faults(&format!("{head}- {{id: a, title: A, do: observe}}\n")),
            [
                "lab.yaml: the parameters have more than 64 combinations of values, each of which is checked"
            ]
        );
    }
}

#[test]
fn a_manifest_is_what_every_reader_of_yaml_reads() {
    let of = |name: &str, text: &str| {
        let lab = format!("{HEAD}- {{id: a, title: A, do: {{apply: {{path: {name}}}}}}}\n");
        let tree = LabTree {
            origin: "a test".into(),
            files: [
                (LAB_FILE.to_owned(), lab.into_bytes()),
                (name.to_owned(), text.as_bytes().to_vec()),
            ]
            .into(),
        };
        match load(&tree, &Known::default()) {
            Ok(_) => String::new(),
            Err(faults) => faults[0].text.clone(),
        }
    };
    let pod = "apiVersion: v1\nkind: Pod\n";
    for sound in [
        pod.to_owned(),
        format!("---\n{pod}--- # next\n{pod}---  \n"),
        format!("\u{feff}{pod}").replace('\n', "\r\n"),
    ] {
        assert_eq!(of("a.yaml", &sound), "", "{sound:?}");
    }
    for (text, told) in [
        // kubectl begins another object at each of these lines.
        (
            format!("{pod}---x: |\n  kind: Pod\n"),
            "a.yaml:3: three dashes stand alone",
        ),
        (
            format!("{pod}--- {{kind: Pod}}\n"),
            "a.yaml:3: three dashes stand alone",
        ),
        (
            format!("{pod}# a\u{2028}spec: {{}}\n"),
            "a.yaml:3: the line has a character",
        ),
        (
            format!("{pod}# a\u{85}spec: {{}}\n"),
            "a.yaml:3: the line has a character",
        ),
        (
            format!("{pod}# a\rspec: {{}}\n"),
            "a.yaml has lines that end in a carriage return",
        ),
        // Readers of YAML disagree on which of the two values counts.
        (
            format!("{pod}metadata: &m {{name: a}}\nspec:\n  name: b\n  <<: *m\n"),
            "a.yaml:",
        ),
    ] {
        let fault = of("a.yaml", &text);
        assert!(fault.starts_with(told), "{text:?}: {fault}");
    }
    assert!(of("a.txt", pod).contains("a manifest's name ends in .yaml, .yml or .json"));
}

#[test]
fn nothing_that_a_lab_names_is_an_option_of_a_program() {
    let head = HEAD.replace("steps:", "namespace: --all\nsteps:");
    let steps = "- {id: a, title: A, do: {exec: {in: --kubeconfig=/x, container: -c, command: [a]}}}\n\
                 - {id: b, title: B, do: {tool: {name: bash, version: '1', version-arguments: []}}}\n\
                 - {id: c, title: C, do: {helm: {release: a, version: 1.0.0, chart: {repository: 'https://r.org', name: ../x}}}}\n";
    insta::assert_snapshot!(faults(&format!("{head}{steps}")).join("\n"), @r"
    lab.yaml: `namespace: --all` is no name of a namespace
    lab.yaml: step `a`: `--kubeconfig=/x` is no name of a pod
    lab.yaml: step `a`: `-c` is no name of a container
    lab.yaml: step `b`: `bash` is a shell or an interpreter
    lab.yaml: step `b`: `version-arguments` are one word to 4, such as version and --client
    lab.yaml: step `c`: `name: ../x` is no name of a chart
    ");
    let steps = "- {id: b, title: B, do: {tool: {name: a-tool, version: '1', version-arguments: [-c, id]}}}\n";
    let faults = faults(&format!("{HEAD}{steps}"));
    assert_eq!(faults.len(), 2);
    assert!(faults[0].starts_with("lab.yaml:6:"), "{}", faults[0]);
    assert!(
        faults[0].contains("`-c` does more than ask for a version"),
        "{}",
        faults[0]
    );
}

#[test]
fn values_and_definitions_of_a_chart_are_what_helm_reads() {
    let lab = format!(
        "{HEAD}- {{id: a, title: A, do: {{helm: {{release: a, chart: c, values: v.yaml}}}}}}\n"
    );
    let of = |values: &str, crd: &str| {
        let files = [
            (LAB_FILE, lab.as_str()),
            ("c/Chart.yaml", "name: c"),
            ("v.yaml", values),
            ("c/crds/a.yaml", crd),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        let tree = LabTree {
            origin: "a test".into(),
            files: files.into(),
        };
        match load(&tree, &Known::default()) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|fault| fault.text).collect(),
        }
    };
    let crd = "apiVersion: v1\nkind: Pod\n";
    assert_eq!(of("a: 1", crd), [""; 0]);
    let all = of("a: {b: 1, b: 2}", "metadata: {name: a, name: b}");
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all[0].starts_with("v.yaml:") && all[1].starts_with("c/crds/a.yaml:"));
}

#[test]
fn what_is_looked_at_before_anybody_is_asked_is_bounded() {
    let steps = (0..201).map(|n| format!("- {{id: a{n}, title: A, do: observe}}\n"));
    let steps = steps.collect::<Vec<_>>().concat();
    let all = faults(&format!("{HEAD}{steps}"));
    assert_eq!(
        all,
        ["lab.yaml: 201 steps are more than the 200 that a lab may have"]
    );
    let long = "x".repeat(1 << 20);
    let steps = format!("- {{id: a, title: A, do: {{apply: {{path: {long}}}}}}}\n");
    assert!(
        faults(&format!("{HEAD}{steps}"))[0].starts_with("lab.yaml: step `a`: there is no file")
    );
    for within in ["25h", "9999999h"] {
        let text = format!(
            "{HEAD}- {{id: a, title: A, do: {{exec: {{in: a, command: [a], within: {within}}}}}}}\n"
        );
        assert!(faults(&text)[0].contains("is more than 24h"), "{within}");
    }
}

#[test]
fn what_cannot_be_there_is_never_asserted_to_be_absent() {
    for name in ["''", "a b", "a/b", "-a", "../a"] {
        let absent = format!("absent: {{api-version: v1, kind: Pod, name: {name}}}");
        let text = format!(
            "{HEAD}- {{id: a, title: A, do: observe, expect: {{within: 1s, all: [{absent}]}}}}\n"
        );
        let all = faults(&text);
        assert!(all[0].contains("no object can have the name"), "{all:?}");
    }
    let head = HEAD.replace("steps:", "namespace: kube-system\nsteps:");
    let text = format!("{head}- {{id: a, title: A, do: observe}}\n");
    assert_eq!(
        faults(&text),
        ["lab.yaml: `namespace: kube-system` is the cluster's own"]
    );
}

#[test]
fn a_url_with_a_user_in_it_is_none() {
    for url in [
        "http://localhost:80@evil.example/a",
        "https://a:b@evil.example/a",
    ] {
        let told = sources::not_fetched(url).unwrap();
        assert!(told.contains("has a user in it"), "{told}");
    }
    assert_eq!(sources::not_fetched("https://example.org/a@b"), None);
}
