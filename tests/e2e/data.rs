//! What `reset` does with the data of lab 10.3: nothing is lost, and the whole server is meant.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::BuildHasher,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use labctl::event::EventKind;
use rustix::process::Signal;

use crate::{interrupted::moments, world::World};

/// The rows that a step was verified with.
const ROWS: &str = "2000";

/// Brings the lab to its end with [`ROWS`] rows in a table that is none of its own.
fn with_rows(world: &World) {
    world.no_further_than("identity");
    world.sql("drop table if exists kept");
    let rows = format!(
        "create table kept as select i id, md5(i::text) note from generate_series(1, {ROWS}) i"
    );
    world.sql(&rows);
    world.at_the_end();
}

/// What a query answers, asked in `postgres-0`.
fn asked(world: &World, query: &str) -> String {
    let psql = ["psql", "-XAtU", "postgres", "-c", query];
    world
        .kubectl(&[&["exec", "postgres-0", "--"], &psql[..]].concat())
        .answered()
}

fn rows(world: &World) -> String {
    asked(world, "select count(*) from kept")
}

/// The files in a directory of the environment that are of `postgres-0` and no seals.
fn dumps(world: &World, dir: &str) -> Vec<PathBuf> {
    let dir = world.state().join("envs").join(&world.name).join(dir);
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut dumps: Vec<PathBuf> = paths
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("postgres-0-") && !name.ends_with(".seal")
        })
        .collect();
    dumps.sort();
    dumps
}

/// A second database, a role, its password, a setting: all of it is noticed and put back, and what was
/// there is kept.
pub(crate) fn whole_server(world: &World) {
    with_rows(world);
    world.sql("create role mine login superuser password 'mine'");
    world.sql("create database mine owner mine");
    world.sql("alter role postgres password 'other'");
    world.sql("alter system set work_mem = '5MB'");
    world
        .labctl(&["reset", "--dry-run"])
        .exits(0)
        .says("~ data of postgres-0")
        .says("roles is another")
        .says("settings is another")
        .says("database mine was not there");
    let began = Instant::now();
    world
        .labctl(&["reset"])
        .exits(0)
        .says("what postgres-0 holds now is kept in");
    world.figure(format!(
        "reset of the whole server: {:.1?}",
        began.elapsed()
    ));
    let strange = "select count(*) from pg_roles, pg_database where 'mine' in (rolname, datname)";
    assert_eq!(asked(world, strange), "0");
    assert_eq!(rows(world), ROWS);
    let kept = dumps(world, "replaced");
    let kept = fs::read_to_string(kept.last().expect("a dump")).expect("text");
    assert!(kept.contains("create role mine"), "{}", kept.len());
    world
        .labctl(&["reset", "--dry-run"])
        .exits(0)
        .says("nothing differs");
}

/// Half a dump, and none of it: nothing is replaced, and that is said.
pub(crate) fn half_a_dump(world: &World) {
    with_rows(world);
    world.sql("delete from kept where id > 975");
    // Which of them the snapshot names is labctl's business.
    let all = dumps(world, "data");
    let whole: Vec<Vec<u8>> = all
        .iter()
        .map(|path| fs::read(path).expect("a dump"))
        .collect();
    for length in [0, 2] {
        for (path, bytes) in all.iter().zip(&whole) {
            let kept = bytes.len().checked_div(length).unwrap_or(0);
            fs::write(path, &bytes[..kept]).expect("a dump");
        }
        world
            .labctl(&["reset"])
            .exits(1)
            .says("failed to restore the data of postgres-0, of which nothing was replaced");
        assert_eq!(rows(world), "975");
        world.labctl(&["up", "10.3"]).exits(7).says("labctl reset");
    }
    for (path, bytes) in all.iter().zip(&whole) {
        fs::write(path, bytes).expect("a dump");
    }
    world.labctl(&["reset"]).exits(0);
    assert_eq!(rows(world), ROWS);
}

/// As many rows as killed the server when their fingerprint was one value.
pub(crate) fn many_rows(world: &World) {
    with_rows(world);
    let count = if std::env::var_os("LABCTL_E2E_FULL").is_some() {
        1_000_000
    } else {
        50_000
    };
    let started = asked(world, "select pg_postmaster_start_time()");
    world.sql(&format!(
        "create table many as select i id, md5(i::text) note from generate_series(1, {count}) i"
    ));
    let began = Instant::now();
    world
        .labctl(&["reset", "--dry-run"])
        .exits(0)
        .says("table public.many was not there");
    world.figure(format!("dry run of {count} rows: {:.1?}", began.elapsed()));
    world.labctl(&["reset"]).exits(0);
    assert_eq!(asked(world, "select pg_postmaster_start_time()"), started);
    assert_eq!(rows(world), ROWS);
}

/// Ctrl-C and SIGKILL at random moments of the restore, with `verify` and `up` in between: the next
/// `reset` has all rows back, and what a student had is kept.
pub(crate) fn any_moment(world: &World) {
    with_rows(world);
    for moment in 0..moments().max(2) {
        let signal = if moment % 2 == 0 {
            Signal::KILL
        } else {
            Signal::INT
        };
        let mine = format!("mine_{moment}");
        world.sql("delete from kept where id > 975");
        world.sql(&format!("create table {mine} as select 1 as mine"));
        let after = Duration::from_millis(RandomState::new().hash_one(moment) % 2_500);
        let mut running = world.start(&["reset", "--output", "json"]);
        running.until("a difference in the data", |event| {
            matches!(event, EventKind::Differs { differing } if differing.object.starts_with("data"))
        });
        thread::sleep(after);
        running.signal(signal);
        let code = world.ended(running).code();
        let unfinished = world
            .labctl(&["status"])
            .exits(0)
            .text()
            .contains("was interrupted");
        world.labctl(&["verify"]);
        let up = world.up(&[]);
        assert_eq!(
            up.code(),
            Some(if unfinished { 7 } else { 0 }),
            "{}",
            up.transcript()
        );
        let left = rows(world);
        world.figure(format!(
            "moment {moment}: {signal:?} {after:?} into the data: exit {code:?}, {left} rows"
        ));
        assert!(left == ROWS || left == "975", "{left} rows");
        if signal == Signal::INT {
            assert_eq!(left, ROWS, "the first Ctrl-C waits");
        }
        world.labctl(&["reset"]).exits(0);
        assert_eq!(rows(world), ROWS);
        assert_eq!(
            asked(world, &format!("select to_regclass('{mine}') is null")),
            "t"
        );
        let kept = dumps(world, "replaced");
        let holds =
            |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(&mine));
        assert!(
            kept.len() <= 2 && kept.iter().any(holds),
            "{mine} is kept nowhere"
        );
    }
    world.verify(0);
}
