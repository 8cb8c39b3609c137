//! What the commands do.

use std::{
    error::Error,
    io::{self, Write},
    time::Duration,
};

use demo_api::{
    load::{self, Plan, SharedTally},
    server::{self, Database, Drain, Shared},
    terminated,
};
use serde_json::json;
use tokio::{net::TcpListener, runtime::Runtime, time::sleep};

use crate::arguments::{Arguments, Command, Get, Load, Report, Serve};

type Done = Result<(), Box<dyn Error>>;

pub(crate) fn run(arguments: Arguments) -> Done {
    let runtime = Runtime::new()?;
    let done = runtime.block_on(async {
        match arguments.command {
            None => serve(arguments.serve).await,
            Some(Command::Serve(arguments)) => serve(arguments).await,
            Some(Command::Load(arguments)) => load(arguments).await,
            Some(Command::Report(arguments)) => report(arguments).await,
            Some(Command::Get(arguments)) => get(arguments).await,
            Some(Command::Idle) => idle().await,
        }
    });
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    done
}

async fn serve(arguments: Serve) -> Done {
    let stop = terminated()?;
    let pod = match arguments.pod {
        Some(pod) => pod,
        None => std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned()),
    };
    let mut config = tokio_postgres::Config::new();
    config
        .host(&arguments.database_host)
        .port(arguments.database_port)
        .user(&arguments.database_user)
        .application_name(&pod);
    if let Some(password) = &arguments.database_password {
        config.password(password);
    }
    config.dbname(
        arguments
            .database
            .as_ref()
            .unwrap_or(&arguments.database_user),
    );
    let database = Database::new(
        config,
        arguments.connect_timeout,
        arguments.database_timeout,
        arguments.database_connections,
    );

    let listener = listen(arguments.listen).await?;
    say(&format!("{pod} listens on {}", listener.local_addr()?));
    let drain = Drain {
        delay: arguments.drain_delay,
        limit: arguments.drain_limit,
    };
    let shared = Shared::new(database, &pod);
    if server::serve(listener, shared, stop, drain).await? {
        say("stopped; every request that had begun was answered");
    } else {
        say("stopped; some requests took longer than the limit and were cut off");
    }
    Ok(())
}

async fn load(arguments: Load) -> Done {
    let stop = terminated()?;
    let tally = SharedTally::new(&arguments.url.url, arguments.keep_alive)?;
    let plan = Plan {
        target: arguments.url,
        body: arguments.text.map(|text| json!({"text": text}).to_string()),
        rate: arguments.rate,
        workers: arguments.workers.into(),
        requests: arguments.requests,
        duration: arguments.duration,
        keep_alive: arguments.keep_alive,
        timeout: arguments.timeout,
    };
    if let Some(address) = arguments.listen {
        let listener = listen(address).await?;
        tokio::spawn(load::control(listener, tally.clone()));
    }
    tokio::select! {
        () = load::run(plan, tally.clone(), stop) => {}
        failed = report_again_and_again(&tally, arguments.report_every) => failed?,
    }
    print(&serde_json::to_string(&tally.report())?)?;
    Ok(())
}

/// Ends only if nobody reads what it prints.
async fn report_again_and_again(tally: &SharedTally, every: Option<Duration>) -> io::Result<()> {
    let Some(every) = every.filter(|every| !every.is_zero()) else {
        return std::future::pending().await;
    };
    loop {
        sleep(every).await;
        print(&serde_json::to_string(&tally.report())?)?;
    }
}

/// Prints the answer, whatever it is; one that is not good is an error all the same.
async fn get(arguments: Get) -> Done {
    let (status, body) = demo_api::get(&arguments.url).await?;
    print(&String::from_utf8_lossy(&body))?;
    if status.is_success() {
        return Ok(());
    }
    Err(format!("{} answered {status}", arguments.url.url).into())
}

async fn idle() -> Done {
    let stop = terminated()?;
    say("idle until it is stopped");
    stop.await;
    Ok(())
}

async fn report(arguments: Report) -> Done {
    let report = load::fetch(arguments.address, arguments.restart).await?;
    print(&report)?;
    Ok(())
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|e| format!("cannot listen on {address}: {e}"))
}

fn print(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// For people; one who closed their end misses nothing else.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
