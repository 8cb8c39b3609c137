//! Serving, until asked to end.

use std::{io, time::Duration};

use tokio::{net::TcpListener, sync::oneshot, time};

use super::{Shared, router};

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// For how long it goes on as before once it was asked to end: until Services and proxies have
    /// stopped sending requests here.
    pub delay: Duration,
    /// For how long it then waits for requests that have begun.
    pub limit: Duration,
}

/// Serves until `stop`; then drains. Returns whether all requests that had begun were answered.
pub async fn serve(
    listener: TcpListener,
    shared: Shared,
    stop: impl Future<Output = ()> + Send + 'static,
    drain: Drain,
) -> io::Result<bool> {
    let (closing, closed) = oneshot::channel();
    let app = router(shared.clone());
    let graceful = async move {
        stop.await;
        shared.drain();
        time::sleep(drain.delay).await;
        // The receiver waits below; it is gone only if serving has ended.
        let _ = closing.send(());
    };
    let server = axum::serve(listener, app).with_graceful_shutdown(graceful);
    let deadline = async {
        if closed.await.is_ok() {
            time::sleep(drain.limit).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        end = server.into_future() => end.map(|()| true),
        () = deadline => Ok(false),
    }
}
