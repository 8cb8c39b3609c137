//! Command lines of kubectl. Each names its kubeconfig and context, and a namespace where only one
//! is possible: nothing ambient is ever used.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Invocation, Stdin};

/// A cluster and a namespace in it, as the options of kubectl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubectl {
    /// The private kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
    /// The lab's namespace.
    pub namespace: String,
}

/// `kubectl version --client`
#[must_use]
pub fn version() -> Invocation {
    Invocation::new("kubectl", ["version", "--client", "--output=json"])
}

impl Kubectl {
    fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Invocation {
        let mut command = Invocation::new("kubectl", ["--kubeconfig"])
            .arg(self.kubeconfig.to_string_lossy())
            .arg("--context")
            .arg(self.context.as_str());
        command.args.extend(args.into_iter().map(ToOwned::to_owned));
        command
    }

    /// Returns a command about objects in the lab's namespace, which `args` do not name.
    fn in_namespace<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Invocation {
        let command = self.command(args).arg("--namespace");
        command.arg(self.namespace.as_str())
    }

    /// `kubectl apply -f`, without a namespace: with one, kubectl refuses manifests that name
    /// another. Objects that name none go into that of the kubeconfig's context, the lab's.
    #[must_use]
    pub fn apply(&self, path: &Path, server_side: bool) -> Invocation {
        let mut apply = self.command(["apply", "--filename", &path.to_string_lossy()]);
        if server_side {
            apply = apply.arg("--server-side").arg("--force-conflicts");
        }
        apply
    }

    /// Runs a command in a pod.
    #[must_use]
    pub fn exec(&self, pod: &str, container: Option<&str>, command: &[String]) -> Invocation {
        let mut exec = self.command(["exec", "--namespace", &self.namespace, pod]);
        if let Some(container) = container {
            exec = exec.arg("--container").arg(container);
        }
        exec = exec.arg("--");
        exec.args.extend(command.iter().cloned());
        exec
    }

    /// Runs a command in a pod, with `file` as its standard input.
    #[must_use]
    pub fn feed(&self, pod: &str, command: &[String], file: &Path) -> Invocation {
        let mut exec = self.command(["exec", "--stdin", "--namespace", &self.namespace, pod, "--"]);
        exec.args.extend(command.iter().cloned());
        exec.stdin(Stdin::File(file.to_owned()))
    }

    /// Deletes the pod of this name only if it still has this uid, so that its replacement is never
    /// deleted. `kubectl delete` has no option for a precondition; the API has.
    #[must_use]
    pub fn delete_pod(&self, pod: &str, uid: &str) -> Invocation {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}", self.namespace);
        let options = serde_json::json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
        });
        self.command(["delete", "--raw", &path, "--filename", "-"])
            .stdin(Stdin::Text(options.to_string()))
    }

    /// Sends a POST of `body` to `path` of the API server.
    #[must_use]
    pub fn create_raw(&self, path: &str, body: &serde_json::Value) -> Invocation {
        self.command(["create", "--raw", path, "--filename", "-"])
            .stdin(Stdin::Text(body.to_string()))
    }

    /// Sends a DELETE for `path` to the API server.
    #[must_use]
    pub fn delete_raw(&self, path: &str) -> Invocation {
        self.command(["delete", "--raw", path])
    }

    /// `kubectl scale`
    #[must_use]
    pub fn scale(&self, of: &str, to: u32) -> Invocation {
        self.in_namespace(["scale", of, &format!("--replicas={to}")])
    }

    /// Sets and removes annotations of an object.
    #[must_use]
    pub fn annotate(
        &self,
        of: &str,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Invocation {
        let mut annotate = self.in_namespace(["annotate", "--overwrite", of]);
        let set = set.iter().map(|(key, value)| format!("{key}={value}"));
        annotate.args.extend(set);
        let remove = remove.iter().map(|key| format!("{key}-"));
        annotate.args.extend(remove);
        annotate
    }

    /// `kubectl rollout restart`
    #[must_use]
    pub fn rollout_restart(&self, of: &[String]) -> Invocation {
        let of = of.iter().map(String::as_str);
        self.in_namespace(["rollout", "restart"].into_iter().chain(of))
    }

    /// Cordons a node and evicts its pods. The timeout is longer than the two minutes for which a
    /// pod whose eviction was cut short counts as missing.
    #[must_use]
    pub fn drain(&self, node: &str) -> Invocation {
        self.command([
            "drain",
            node,
            "--ignore-daemonsets",
            "--delete-emptydir-data",
            "--timeout=180s",
        ])
    }

    /// Uncordons a node.
    #[must_use]
    pub fn uncordon(&self, node: &str) -> Invocation {
        self.command(["uncordon", node])
    }

    /// Removes pods whose evictions were cut short from a disruption budget's `disruptedPods`, so
    /// that the budget counts them again.
    #[must_use]
    pub fn forget_evictions(&self, namespace: &str, budget: &str, pods: &[String]) -> Invocation {
        let gone: serde_json::Map<String, serde_json::Value> = pods
            .iter()
            .map(|pod| (pod.clone(), serde_json::Value::Null))
            .collect();
        let patch = serde_json::json!({"status": {"disruptedPods": gone}}).to_string();
        self.command([
            "patch",
            "poddisruptionbudget",
            budget,
            "--namespace",
            namespace,
            "--subresource=status",
            "--type=merge",
            "--patch",
            &patch,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_a_student_chose_is_none_of_a_command() {
        let kubectl = Kubectl {
            kubeconfig: "/k".into(),
            context: "c".into(),
            namespace: "lab".into(),
        };
        let workload = "statefulset/db".to_owned();
        for command in [
            kubectl.scale(&workload, 2),
            kubectl.annotate(&workload, &BTreeMap::new(), &["a".to_owned()]),
            kubectl.rollout_restart(std::slice::from_ref(&workload)),
            kubectl.exec("db-0", None, &["true".to_owned()]),
            kubectl.feed("db-0", &["true".to_owned()], Path::new("/dump")),
        ] {
            let line = command.to_string();
            assert!(line.contains("--context c"), "{line}");
            assert!(line.contains("--namespace lab"), "{line}");
        }
        let deletion = kubectl.delete_pod("db-0", "u").to_string();
        assert!(deletion.contains("/namespaces/lab/pods/db-0"), "{deletion}");
    }

    #[test]
    fn entries_of_a_status_are_taken_out_by_a_merge_with_null() {
        let kubectl = Kubectl {
            kubeconfig: "/k".into(),
            context: "c".into(),
            namespace: "lab".into(),
        };
        let pods = ["db-0".to_owned(), "db-2".to_owned()];
        let patch = kubectl.forget_evictions("other", "db", &pods);
        assert_eq!(
            patch.to_string(),
            "kubectl --kubeconfig /k --context c patch poddisruptionbudget db --namespace other \
             --subresource=status --type=merge --patch \
             '{\"status\":{\"disruptedPods\":{\"db-0\":null,\"db-2\":null}}}'"
        );
    }
}
