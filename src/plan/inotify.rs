//! Checks of the kernel's limits on inotify against the needs of kind's nodes. If a limit is too
//! low, some of the nodes' programs end at some time with "too many open files": kind's known
//! issues list this first.

/// The limits of a user. The programs of the nodes all count as root's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `fs.inotify.max_user_instances`
    pub instances: u64,
    /// `fs.inotify.max_user_watches`
    pub watches: u64,
}

/// The nodes of kind clusters that run or are about to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nodes {
    /// The number of clusters; each has a control plane.
    pub clusters: u64,
    /// The number of nodes, control planes included.
    pub nodes: u64,
}

/// The needs of a node. Nodes of Kubernetes 1.34 were counted to use 12 instances and 141 watches,
/// and a control plane 13 and 145 more. Pods add watches of their own.
const OF_NODE: Limits = Limits {
    instances: 12,
    watches: 500,
};
const OF_CONTROL_PLANE: Limits = Limits {
    instances: 13,
    watches: 500,
};
/// The needs of root's programs outside of the nodes: systemd, udev, the engine.
const OF_MACHINE: Limits = Limits {
    instances: 30,
    watches: 1000,
};
/// The limits that kind's known issues recommend.
const RECOMMENDED: Limits = Limits {
    instances: 512,
    watches: 524_288,
};

/// Returns a message for each limit that is too low for `nodes`, with a command that raises it.
#[must_use]
pub fn shortages(limits: Limits, nodes: Nodes) -> Vec<String> {
    let need = |of: fn(&Limits) -> u64| {
        of(&OF_MACHINE) + nodes.nodes * of(&OF_NODE) + nodes.clusters * of(&OF_CONTROL_PLANE)
    };
    let text = |what: &str, key: &str, of: fn(&Limits) -> u64| {
        let Nodes { clusters, nodes } = nodes;
        let (allowed, need) = (of(&limits), need(of));
        let more = of(&RECOMMENDED).max(2 * need);
        let of_clusters = if clusters == 1 {
            "one cluster".to_owned()
        } else {
            format!("{clusters} clusters")
        };
        (allowed < need).then(|| {
            format!(
                "this machine allows {allowed} inotify {what} (fs.inotify.{key}); {nodes} nodes of \
                 {of_clusters} need about {need}, and without them programs end with \"too many \
                 open files\". `sudo sysctl fs.inotify.{key}={more}` allows more"
            )
        })
    };
    let instances = text("instances", "max_user_instances", |l| l.instances);
    let watches = text("watches", "max_user_watches", |l| l.watches);
    instances.into_iter().chain(watches).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(instances: u64, watches: u64, clusters: u64) -> Vec<String> {
        let nodes = 4 * clusters;
        shortages(Limits { instances, watches }, Nodes { clusters, nodes })
    }

    #[test]
    fn a_second_cluster_is_too_much_for_the_usual_limit() {
        assert_eq!(short(128, 65_536, 1), [""; 0]);
        assert_eq!(
            short(128, 65_536, 2),
            [
                "this machine allows 128 inotify instances (fs.inotify.max_user_instances); 8 nodes \
                 of 2 clusters need about 152, and without them programs end with \"too many open \
                 files\". `sudo sysctl fs.inotify.max_user_instances=512` allows more"
            ]
        );
        assert_eq!(short(512, 524_288, 5), [""; 0]);
        // Even the recommended limit is too low here.
        assert!(short(512, 524_288, 9)[0].contains("max_user_instances=1158"));
    }

    #[test]
    fn watches_are_a_limit_of_their_own() {
        let texts = short(64, 2000, 1);
        assert_eq!(texts.len(), 2);
        assert!(
            texts[1].contains("2000 inotify watches (fs.inotify.max_user_watches); 4 nodes of one")
        );
        assert!(texts[1].contains("max_user_watches=524288"));
    }
}
