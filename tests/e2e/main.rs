//! labctl against a real cluster.
//!
//! The scenarios share one environment and run in the order below, one after the other: what one
//! leaves is what the next begins with. Each first brings about what it needs, so that one can be
//! run alone (`cargo test --features e2e --test e2e -- student`). A container engine has to answer;
//! `LABCTL_E2E_BUNDLE` names the bundle that images and tools come from (without it: the public
//! images, and kind and kubectl from `PATH`). Other settings: `LABCTL_BIN` (another labctl),
//! `LABCTL_E2E_KEEP` (leaves the environment), `LABCTL_E2E_MOMENTS` (how many random moments
//! labctl is killed at), `LABCTL_E2E_AUDIT` (what the user's own kubeconfig points at is a real
//! cluster with an audit log), `LABCTL_E2E_RESTART_ENGINE` (the command that restarts the engine).
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test runs programs, reads its settings, prints figures, and fails by a panic"
)]

mod broken;
mod decoy;
mod faults;
mod interrupted;
mod lab;
mod paused;
mod releases;
mod remains;
mod reset;
mod run;
mod shop;
mod student;
mod toxics;
mod world;

use std::{process::ExitCode, sync::OnceLock};

use libtest_mimic::{Arguments, Trial};

use world::World;

static WORLD: OnceLock<World> = OnceLock::new();

type Scenario = fn(&World);

/// The scenarios, in their order.
const SCENARIOS: [(&str, Scenario); 35] = [
    ("interrupted::ctrl_c_leaves_nothing", interrupted::ctrl_c),
    ("interrupted::sigkill_is_picked_up", interrupted::sigkill),
    (
        "interrupted::any_moment_is_picked_up",
        interrupted::any_moment,
    ),
    ("student::kills_the_pod_by_hand", student::by_hand),
    ("interrupted::a_fault_is_taken_back", interrupted::fault),
    (
        "interrupted::a_cut_short_eviction_is_taken_back",
        interrupted::eviction,
    ),
    (
        "faults::nothing_is_injected_while_unsteady",
        faults::unsteady,
    ),
    ("faults::an_interruption_ends_it", faults::interruption),
    (
        "faults::healed_when_a_run_behind_it_ends",
        faults::owner_ends,
    ),
    ("faults::kept_over_runs_of_next", faults::kept),
    ("student::goes_on_with_up", student::goes_on),
    ("lab::up_again_runs_nothing", lab::up_again),
    ("lab::verify_passes", lab::verify),
    ("broken::deleted_row", broken::row),
    ("broken::deleted_row_mended_by_up", broken::row_mended),
    ("broken::scaled_down", broken::scaled),
    ("broken::deleted_service", broken::service),
    ("reset::after_a_mess", reset::mess),
    ("reset::dry_run_changes_nothing", reset::dry_run),
    ("reset::what_is_held_up", reset::held_up),
    ("reset::to_an_earlier_step", reset::earlier),
    ("reset::after_a_lost_claim", reset::lost_claim),
    ("reset::hard", reset::hard),
    ("paused::stop_and_start", paused::stop_and_start),
    ("paused::a_restart_left_it_behind", paused::left_behind),
    ("paused::the_engine_is_restarted", paused::engine_restarted),
    ("paused::side_by_side", paused::side_by_side),
    ("paused::another_of_the_same_name", paused::recreated),
    ("shop::by_an_ingress", shop::ingress),
    ("shop::by_a_gateway", shop::gateway),
    ("toxics::each", toxics::each),
    ("broken::deleted_claim", broken::claim),
    ("releases::cut_short", releases::cut_short),
    ("lab::down_removes_all", lab::down),
    ("lab::the_users_own_is_untouched", lab::untouched),
];

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads = Some(1);
    let ignored = |name: &str| {
        (name.contains("any_moment") || name.contains("hard")) && interrupted::moments() == 0
            || name.contains("the_engine") && paused::engine_restart().is_none()
    };
    let trial = |(name, scenario): (&str, Scenario)| {
        let run = move || {
            scenario(WORLD.get_or_init(World::open));
            Ok(())
        };
        Trial::test(format!("e2e::{name}"), run).with_ignored_flag(ignored(name))
    };
    let conclusion = libtest_mimic::run(&args, SCENARIOS.map(trial).into());
    if let Some(world) = WORLD.get() {
        world.close();
    }
    conclusion.exit_code()
}
