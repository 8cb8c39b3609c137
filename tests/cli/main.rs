//! The command line from outside, as a process: without a cluster, without an engine, without
//! anything of the machine's but the kernel. The tools are fakes that a script tells what to do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::naive_bytecount,
    reason = "tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod brought;
mod bundle;
mod canary;
mod clock;
mod crash;
mod cursor;
mod data;
mod differs;
mod done;
mod environments;
mod foreign;
mod full_disk;
mod fuzz;
mod heal;
mod helm;
mod images;
mod joined;
mod journal;
mod killed;
mod kind;
mod kinds;
mod labs;
mod limits;
mod locks;
mod login;
mod output;
mod params;
mod paused;
mod pinned;
mod plan;
mod planted;
mod ports;
mod preflight;
mod scripts;
mod shared;
mod signals;
mod state_dir;
mod student;
mod trust;
mod unfinished;
mod unreachable;
mod usage;
mod validate;
