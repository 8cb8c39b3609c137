//! `apply` of a file elsewhere: fetched once, compared, kept, and taken from a bundle that has it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;

use crate::support::{Api, Sandbox, Server};

const CRDS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: crds}\n";

struct World {
    sandbox: Sandbox,
    _api: Api,
    url: String,
    asked: Arc<AtomicUsize>,
}

impl World {
    /// A lab that applies what the server has, and says that it is `expected`.
    fn new(expected: &str) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let server = Server::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            let head = format!("200 OK\r\ncontent-length: {}", CRDS.len());
            (head, CRDS.into())
        });
        let url = format!("{}/crds.yaml", server.url());
        let api = Api::start();
        let sandbox = Sandbox::new().with_crash_lab(&api);
        let world = Self {
            sandbox,
            _api: api,
            url,
            asked,
        };
        world.write_lab(expected, "true");
        world
    }

    fn write_lab(&self, expected: &str, server_side: &str) {
        let (url, hex) = (&self.url, labctl::digest::hex(expected.as_bytes()));
        self.sandbox.write(
            "crash/lab.yaml",
            &format!(
                "lab: crash\ntitle: A lab\nlevel: beginner\ntime: 5m\nsteps:\n\
                 - {{id: cluster, title: A cluster, do: {{kind-cluster: {{template: three-workers}}}}}}\n\
                 - id: crds\n  title: Kinds\n  \
                 do: {{apply: {{url: '{url}', sha256: {hex}, server-side: {server_side}}}}}\n"
            ),
        );
    }

    fn applied(&self) -> Vec<String> {
        let calls = self
            .sandbox
            .fakes
            .calls_of("kubectl", "--kubeconfig * --context * apply");
        let line = |args: &[String]| self.sandbox.normal(&args[4..].join(" "));
        calls.iter().map(|call| line(&call.args)).collect()
    }
}

#[test]
fn it_is_fetched_once_and_kept() {
    let world = World::new(CRDS);
    let plan = world.sandbox.labctl("plan crash").run().exits(0);
    let hex = labctl::digest::hex(CRDS.as_bytes());
    plan.answers(&format!("# {}: sha256:{hex}", world.url));
    assert_eq!(world.asked.load(Ordering::Relaxed), 0);
    world.sandbox.labctl("up crash").run().exits(0);
    let file = format!("<TMP>/state/labctl/envs/lab-crash/files/{hex}.yaml");
    let apply = format!("apply --filename {file} --server-side --force-conflicts");
    assert_eq!(world.applied(), [apply]);
    let kept = world
        .sandbox
        .environment("lab-crash")
        .join(format!("files/{hex}.yaml"));
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), CRDS);
    // Applied again, and though something was done to the file meanwhile.
    for (text, server_side, asked) in [(CRDS, "false", 1), ("other", "true", 2)] {
        std::fs::write(&kept, text).unwrap();
        world.write_lab(CRDS, server_side);
        world.sandbox.labctl("up crash").run().exits(0);
        assert_eq!(world.asked.load(Ordering::Relaxed), asked);
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), CRDS);
    }
    assert_eq!(world.applied().len(), 3);
}

#[test]
fn what_is_not_what_the_lab_names_is_not_applied() {
    let world = World::new("something else");
    let up = world.sandbox.labctl("up crash").run().exits(1);
    up.tells("crds.yaml is not what the lab names");
    assert_eq!(world.applied(), [""; 0]);
    let kept = world.sandbox.environment("lab-crash").join("files");
    assert!(!kept.exists());
}

#[test]
fn a_bundle_has_its_own_digest_and_nothing_else_is_reached_for() {
    let world = World::new("something else");
    let mut index = json!({"version": 1, "platform": "linux/amd64"});
    world.sandbox.write("bundle/index.json", &index.to_string());
    let lacks = world
        .sandbox
        .labctl("up crash --bundle bundle")
        .run()
        .exits(4);
    lacks.tells(&format!("lacks {}", world.url));
    let digest = format!("sha256:{}", labctl::digest::hex(CRDS.as_bytes()));
    index["files"] = json!([{"url": world.url, "path": "crds.yaml", "digest": digest,
        "source": "example.org/module@v1.0.0"}]);
    world.sandbox.write("bundle/index.json", &index.to_string());
    world.sandbox.write("bundle/crds.yaml", CRDS);
    let plan = world
        .sandbox
        .labctl("plan crash --bundle bundle")
        .run()
        .exits(0);
    plan.answers(&format!(
        "# {}: example.org/module@v1.0.0, {digest}",
        world.url
    ));
    world
        .sandbox
        .labctl("up crash --bundle bundle")
        .run()
        .exits(0);
    let apply = "apply --filename <TMP>/work/bundle/crds.yaml --server-side --force-conflicts";
    assert_eq!(world.applied(), [apply]);
    assert_eq!(world.asked.load(Ordering::Relaxed), 0);
}
