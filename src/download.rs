//! Downloads by labctl itself: over HTTPS, with a limit of size and of time.

use std::{error::Error, net::IpAddr, time::Duration};

use http::{Request, Response, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// The longest time for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest time for a download with all its redirects.
const WHOLE: Duration = Duration::from_mins(2);
/// The maximum number of redirects.
const REDIRECTS: usize = 5;

/// The error of a download.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Nothing is fetched from this URL.
    #[error("{0}")]
    Refused(String),
    /// The download failed.
    #[error("failed to fetch {url}")]
    Failed {
        /// The URL, as [`shown`] returns it.
        url: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A reason with its cause.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Why {
    text: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Why {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            source: None,
        }
    }

    fn because<E: Into<Box<dyn Error + Send + Sync>>>(
        text: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let text = text.into();
        |source| Self {
            text,
            source: Some(source.into()),
        }
    }
}

/// Returns `url` as it may be shown: without query and fragment, which may hold a secret.
#[must_use]
pub fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Downloads `url`. Fails if the body has more than `limit` bytes.
pub async fn fetch(url: &str, limit: u64) -> Result<Vec<u8>, DownloadError> {
    let first = parsed(url).map_err(DownloadError::Refused)?;
    let answer = tokio::time::timeout(WHOLE, download(first, limit)).await;
    let late = || Why::new(format!("it took longer than {WHOLE:?}")).into();
    answer
        .unwrap_or_else(|_| Err(late()))
        .map_err(|source| DownloadError::Failed {
            url: shown(url).to_owned(),
            source,
        })
}

async fn download(first: Uri, limit: u64) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    connector.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(Why::because(
            "this machine's certificate authorities cannot be read",
        ))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<&[u8]>>(connector);
    let mut at = first;
    for _ in 0..=REDIRECTS {
        let request = Request::get(&at)
            .header(
                header::USER_AGENT,
                concat!("labctl/", env!("CARGO_PKG_VERSION")),
            )
            .body(Empty::new())?;
        let answer = client.request(request).await?;
        if answer.status().is_redirection() {
            at = next(&at, &answer)?;
            continue;
        }
        let status = answer.status();
        if !status.is_success() {
            return Err(Why::new(format!("the server answers {status}")).into());
        }
        let most = usize::try_from(limit)?;
        let body = Limited::new(answer.into_body(), most).collect().await;
        let ended = format!("it ended early, or is larger than {} MiB", limit >> 20);
        return Ok(body.map_err(Why::because(ended))?.to_bytes().to_vec());
    }
    let text = format!("it leads from one place to another more than {REDIRECTS} times");
    Err(Why::new(text).into())
}

/// Returns the target of the redirect `answer`, which came from `at`. Refuses to leave TLS.
fn next<B>(at: &Uri, answer: &Response<B>) -> Result<Uri, Why> {
    let location = answer.headers().get(header::LOCATION);
    let location = location.and_then(|l| l.to_str().ok());
    let location = location.ok_or_else(|| Why::new("the server leads nowhere"))?;
    let whole = if let (true, Some(scheme), Some(authority)) = (
        location.starts_with('/') && !location.starts_with("//"),
        at.scheme(),
        at.authority(),
    ) {
        format!("{scheme}://{authority}{location}")
    } else {
        location.to_owned()
    };
    let next = parsed(&whole).map_err(Why::new)?;
    if at.scheme() == Some(&Scheme::HTTPS) && next.scheme() != at.scheme() {
        let text = format!("it leads from https to {}", shown(&whole));
        return Err(Why::new(text));
    }
    Ok(next)
}

/// Parses `url`, which must be HTTPS, or HTTP that does not leave this machine.
fn parsed(url: &str) -> Result<Uri, String> {
    let shown = shown(url);
    let uri: Uri = url
        .parse()
        .map_err(|why| format!("`{shown}` is no URL: {why}"))?;
    if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        let why = "a URL with a user or a password in it is not used: it would be written down";
        return Err(why.to_owned());
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_loopback => Ok(uri),
        Some("http") => Err(format!("`{shown}` is not fetched without TLS: use https")),
        _ => Err(format!("`{shown}` is neither https nor a file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_fetched_or_from_this_machine() {
        for url in [
            "https://example.org/lab.tar.gz",
            "http://127.0.0.1:8080/x",
            "http://[::1]/x",
            "http://localhost/x",
        ] {
            assert!(parsed(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.org/x",
            "http://127.0.0.1.example.org/x",
            "http://localhost.example.org/x",
            "https://user:password@example.org/x",
            "http://127.0.0.1@example.org/x",
            "ftp://example.org/x",
            "file:///etc/passwd",
        ] {
            assert!(parsed(url).is_err(), "{url}");
        }
        assert_eq!(shown("https://h/x?token=t#f"), "https://h/x");
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        let lead = |at: &str, location: &str| {
            let answer = Response::builder()
                .header(header::LOCATION, location)
                .body(());
            next(&at.parse().unwrap(), &answer.unwrap()).map(|uri| uri.to_string())
        };
        assert_eq!(lead("https://a/x", "https://b/y").unwrap(), "https://b/y");
        assert_eq!(lead("https://a/x", "/y").unwrap(), "https://a/y");
        assert_eq!(
            lead("http://127.0.0.1/x", "https://b/y").unwrap(),
            "https://b/y"
        );
        for location in [
            "http://b/y",
            "http://127.0.0.1/y",
            "//b/y",
            "file:///etc/passwd",
            "",
        ] {
            assert!(lead("https://a/x", location).is_err(), "{location}");
        }
    }
}
