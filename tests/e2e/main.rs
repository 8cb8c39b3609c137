//! labctl against a real cluster.
//!
//! The scenarios are in lanes (`lanes`): those of one share an environment and run in the order below,
//! one after the other, so that what one leaves is what the next begins with; the lanes run beside each
//! other. Each scenario first brings about what it needs, so that one can be run alone
//! (`cargo test --features e2e --test e2e -- student`). A container engine has to answer;
//! `LABCTL_E2E_BUNDLE` names the bundle that images and tools come from (without it: the public
//! images, and kind and kubectl from `PATH`). Other settings: `LABCTL_BIN` (another labctl),
//! `LABCTL_E2E_KEEP` (leaves the environments), `LABCTL_E2E_FULL` (also what repeats another scenario
//! in part), `LABCTL_E2E_LANES` (how many lanes run at once; unset, one for each processor),
//! `LABCTL_E2E_MOMENTS` (how many random moments labctl is killed at), `LABCTL_E2E_AUDIT`
//! (what the user's own kubeconfig points at is a real cluster with an audit log),
//! `LABCTL_E2E_RESTART_ENGINE` (the command that restarts the engine).
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test runs programs, reads its settings, prints figures, and fails by a panic"
)]

mod broken;
mod data;
mod decoy;
mod faults;
mod interrupted;
mod lab;
mod lanes;
mod mesh;
mod paused;
mod releases;
mod remains;
mod reset;
mod run;
mod shop;
mod student;
mod toxics;
mod unnoticed;
mod world;

use std::process::ExitCode;

use libtest_mimic::Arguments;

use lanes::{Lane, Scenario};
use world::World;

/// A scenario's lane, its name, and what it does.
type Listed = (Lane, &'static str, fn(&World));

/// The scenarios, in the order of each lane.
const SCENARIOS: [Listed; 48] = [
    (
        Lane::Database,
        "interrupted::ctrl_c_leaves_nothing",
        interrupted::ctrl_c,
    ),
    (
        Lane::Database,
        "interrupted::sigkill_is_picked_up",
        interrupted::sigkill,
    ),
    (
        Lane::Database,
        "student::kills_the_pod_by_hand",
        student::by_hand,
    ),
    (
        Lane::Database,
        "interrupted::a_fault_is_taken_back",
        interrupted::fault,
    ),
    (
        Lane::Database,
        "interrupted::a_cut_short_eviction_is_taken_back",
        interrupted::eviction,
    ),
    (
        Lane::Database,
        "faults::nothing_is_injected_while_unsteady",
        faults::unsteady,
    ),
    (
        Lane::Database,
        "faults::an_interruption_ends_it",
        faults::interruption,
    ),
    (
        Lane::Database,
        "faults::healed_when_a_run_behind_it_ends",
        faults::owner_ends,
    ),
    (
        Lane::Database,
        "faults::kept_over_runs_of_next",
        faults::kept,
    ),
    (Lane::Database, "student::goes_on_with_up", student::goes_on),
    (Lane::Database, "lab::up_again_runs_nothing", lab::up_again),
    (Lane::Database, "lab::verify_passes", lab::verify),
    (Lane::Database, "broken::deleted_row", broken::row),
    (
        Lane::Database,
        "broken::deleted_row_mended_by_up",
        broken::row_mended,
    ),
    (Lane::Database, "broken::scaled_down", broken::scaled),
    (Lane::Database, "broken::deleted_service", broken::service),
    (
        Lane::Database,
        "unnoticed::nothing_of_the_database",
        unnoticed::of_the_database,
    ),
    (Lane::Database, "reset::after_a_mess", reset::mess),
    (
        Lane::Database,
        "reset::dry_run_changes_nothing",
        reset::dry_run,
    ),
    (Lane::Database, "reset::what_is_held_up", reset::held_up),
    (
        Lane::Database,
        "reset::what_the_cluster_came_with",
        reset::baseline,
    ),
    (Lane::Database, "reset::to_an_earlier_step", reset::earlier),
    (
        Lane::Database,
        "reset::after_a_lost_claim",
        reset::lost_claim,
    ),
    (Lane::Database, "data::the_whole_server", data::whole_server),
    (Lane::Database, "data::half_a_dump", data::half_a_dump),
    (Lane::Database, "data::many_rows", data::many_rows),
    (
        Lane::Database,
        "data::interrupted_at_any_moment",
        data::any_moment,
    ),
    (Lane::Database, "reset::hard", reset::hard),
    (
        Lane::Database,
        "paused::stop_and_start",
        paused::stop_and_start,
    ),
    (
        Lane::Database,
        "paused::a_restart_left_it_behind",
        paused::left_behind,
    ),
    (
        Lane::Database,
        "paused::another_of_the_same_name",
        paused::recreated,
    ),
    (Lane::Database, "broken::deleted_claim", broken::claim),
    (Lane::Shop, "shop::by_an_ingress", shop::ingress),
    (Lane::Shop, "shop::clients_by_an_ingress", shop::clients),
    (Lane::Shop, "shop::each_tier_broken", shop::broken),
    (
        Lane::Shop,
        "unnoticed::nothing_of_the_shop",
        unnoticed::of_the_shop,
    ),
    (Lane::Shop, "shop::beside_another_lab", shop::side_by_side),
    (Lane::Shop, "shop::by_a_gateway", shop::gateway),
    (
        Lane::Shop,
        "shop::clients_by_a_gateway",
        shop::gateway_clients,
    ),
    (
        Lane::Sundry,
        "interrupted::any_moment_is_picked_up",
        interrupted::any_moment,
    ),
    (Lane::Sundry, "releases::cut_short", releases::cut_short),
    (Lane::Sundry, "toxics::each", toxics::each),
    (Lane::Sundry, "mesh::without_linkerd", mesh::without),
    (
        Lane::Sundry,
        "unnoticed::nothing_of_the_mesh",
        unnoticed::of_the_mesh,
    ),
    (Lane::Sundry, "mesh::with_linkerd", mesh::with_linkerd),
    (
        Lane::Alone,
        "paused::the_engine_is_restarted",
        paused::engine_restarted,
    ),
    (Lane::Alone, "lab::down_removes_all", lab::down),
    (
        Lane::Alone,
        "lab::the_users_own_is_untouched",
        lab::untouched,
    ),
];

/// Those that measure what others would disturb.
const QUIET: [&str; 3] = [
    "lab::up_again_runs_nothing",
    "shop::clients_by_an_ingress",
    "shop::clients_by_a_gateway",
];

fn main() -> ExitCode {
    let ignored = |name: &str| match name {
        "interrupted::any_moment_is_picked_up" => interrupted::moments() == 0,
        "paused::the_engine_is_restarted" => paused::engine_restart().is_none(),
        "mesh::with_linkerd" => mesh::missing().is_some(),
        // The next one does the same, and more.
        "broken::deleted_row" => world::setting("LABCTL_E2E_FULL").is_none(),
        // Each takes as long as a lane.
        "unnoticed::nothing_of_the_shop" | "unnoticed::nothing_of_the_mesh" => {
            world::setting("LABCTL_E2E_FULL").is_none()
        }
        _ => false,
    };
    let scenario = |(lane, name, run): Listed| Scenario {
        name,
        lane,
        run,
        quiet: QUIET.contains(&name),
        ignored: ignored(name),
    };
    let scenarios = SCENARIOS.map(scenario).into();
    if let Some(why) = mesh::missing() {
        eprintln!("skipped: e2e::mesh::with_linkerd, as {why}");
    }
    lanes::run(Arguments::from_args(), scenarios).exit_code()
}
