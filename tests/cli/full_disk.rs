//! A disk that fills up in the middle of a run: labctl says so, ends what runs, and goes on as soon
//! as there is space. The disk is a small file system in memory, in a mount namespace of its own.

use crate::support::{Act, Api, Sandbox, is_alive, on_the_cluster};

use super::state_dir::can_mount;

/// What is left to do, in the mount namespace, once `up` ended: free the space, and `up` again.
fn fills_up(sandbox: &Sandbox) -> crate::support::Answer {
    let state = sandbox.path("mounted");
    std::fs::create_dir_all(&state).unwrap();
    let labctl = env!("CARGO_BIN_EXE_labctl");
    let script = format!(
        "/usr/bin/mount -t tmpfs -o size=256k,mode=0700 tmpfs '{state}' || exit 99\n\
         '{labctl}' up crash --trust --state-dir '{state}'; echo \"first $?\"\n\
         '{labctl}' status --state-dir '{state}' >&2 || exit 98\n\
         /usr/bin/find '{state}' -name '.tmp*'\n\
         /usr/bin/rm '{state}/fill'\n\
         '{labctl}' up crash --trust --state-dir '{state}'; echo \"second $?\"\n\
         '{labctl}' down crash --state-dir '{state}'; echo \"down $?\"\n\
         /usr/bin/find '{state}' -mindepth 1",
        state = state.display(),
    );
    let args = ["--map-root-user", "--mount", "/bin/sh", "-c", &script];
    sandbox.program("/usr/bin/unshare", args).run()
}

#[test]
fn a_disk_that_fills_up_while_a_tool_runs_ends_the_run_and_the_next_one_goes_on() {
    if !can_mount() {
        return;
    }
    for (program, action) in [
        ("kind", "create"),
        ("kubectl", "apply"),
        ("kubectl", "exec"),
        ("kubectl", "delete"),
        ("kubectl", "drain"),
    ] {
        let api = Api::start();
        let sandbox = Sandbox::in_memory().with_crash_lab(&api);
        let mut rules = on_the_cluster(&api.address());
        let is_meant = |args: &[String]| args.iter().any(|arg| arg == action);
        let rule = rules.iter_mut();
        let mut rule = rule.filter(|rule| rule.program == program && is_meant(&rule.args));
        let acts = &mut rule.next().unwrap().acts;
        if program == "kind" {
            // The image that is saved beside it has its space already.
            let image = "mounted/envs/lab-crash/images/docker.io+library+app=1.tar";
            acts.push(Act::Await(sandbox.path(image)));
        }
        acts.push(Act::Fill(sandbox.path("mounted/fill")));
        sandbox.fakes.obey(rules);
        let answer = fills_up(&sandbox);
        let expected = ["first 70", "second 0", "down 0"];
        let lines: Vec<&str> = answer.stdout.lines().collect();
        assert_eq!(lines, expected, "{action}:\n{}", answer.whole);
        let answer = answer
            .tells("No space left on device")
            .tells("free some space, or name another directory with --state-dir");
        assert!(!answer.stderr.contains("panicked"), "{}", answer.whole);
        let running: Vec<_> = sandbox.fakes.calls();
        assert!(!running.iter().any(|call| is_alive(call.pid)), "{action}");
        // What could not be written down was looked at before it was done again.
        for once in ["apply", "exec", "delete pod"] {
            assert_eq!(api.count(once), 1, "{action}: {:?}", api.effects());
        }
        let effects = api.effects();
        let faults: Vec<&str> = effects.iter().map(String::as_str).collect();
        let faults = faults
            .into_iter()
            .filter(|e| ["drain", "uncordon"].contains(e));
        let mut faults: Vec<&str> = faults.collect();
        // What could not be journalled as taken back is taken back once more, which does nothing.
        faults.dedup();
        // The disk has a little room left within its last pages, so the run that ends may get as far
        // as the fault. That is taken back, by it or by the next one, before it is injected again.
        let once = ["drain", "uncordon"];
        let fits = faults == once || faults == once.repeat(2);
        assert!(fits, "{action}: {faults:?}");
    }
}
