//! A lab from the network: an archive, over HTTPS, of limited size and in limited time.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context as _, anyhow, bail, ensure};
use http::{Request, Response, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{error::CliError, exit, session};
use crate::state::archive::LARGEST;

/// How long a connection may take, and all together.
const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_mins(2);
/// How often another place may be named.
const REDIRECTS: usize = 5;

/// Whether `name` is a URL, rather than a lab's id or a path.
pub(crate) fn is_url(name: &str) -> bool {
    name.contains("://")
}

/// `url` as it may be shown: what stands behind a `?` may be a secret.
pub(crate) fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// What is at `url`.
pub(crate) fn fetch(url: &str) -> Result<Vec<u8>, CliError> {
    let first = parsed(url).map_err(CliError::usage)?;
    session::runtime()?.block_on(async {
        let answer = tokio::time::timeout(WHOLE, download(first)).await;
        let answer = answer.unwrap_or_else(|_| Err(anyhow!("it took longer than {WHOLE:?}")));
        answer.map_err(|error| {
            let error = error.context(format!("failed to fetch {}", shown(url)));
            CliError::new(exit::FAILED, error)
                .hint("fetch it by other means, and name the file instead")
        })
    })
}

async fn download(first: Uri) -> anyhow::Result<Vec<u8>> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    connector.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .context("this machine's certificate authorities cannot be read")?
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
        ensure!(status.is_success(), "the server answers {status}");
        let limit = usize::try_from(LARGEST)?;
        let body = Limited::new(answer.into_body(), limit).collect().await;
        let body = body
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| format!("it ended early, or is larger than {} MiB", LARGEST >> 20))?;
        return Ok(body.to_bytes().to_vec());
    }
    bail!("it leads from one place to another more than {REDIRECTS} times")
}

/// Where `answer`, which came from `at`, leads.
fn next<B>(at: &Uri, answer: &Response<B>) -> anyhow::Result<Uri> {
    let location = answer.headers().get(header::LOCATION);
    let location = location.and_then(|l| l.to_str().ok());
    let location = location.context("the server leads nowhere")?;
    let whole = if let (true, Some(scheme), Some(authority)) = (
        location.starts_with('/') && !location.starts_with("//"),
        at.scheme(),
        at.authority(),
    ) {
        format!("{scheme}://{authority}{location}")
    } else {
        location.to_owned()
    };
    let next = parsed(&whole)?;
    let is_downgrade = at.scheme() == Some(&Scheme::HTTPS) && next.scheme() != at.scheme();
    ensure!(!is_downgrade, "it leads from https to {}", shown(&whole));
    Ok(next)
}

/// `url`, if it may be fetched from: HTTPS, or HTTP without leaving this machine.
fn parsed(url: &str) -> anyhow::Result<Uri> {
    let uri: Uri = url
        .parse()
        .with_context(|| format!("`{}` is no URL", shown(url)))?;
    let authority = uri.authority().map_or("", |a| a.as_str());
    ensure!(
        !authority.contains('@'),
        "a URL with a user or a password in it is not used: it would be written down"
    );
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_loopback => Ok(uri),
        Some("http") => bail!("`{}` is not fetched without TLS: use https", shown(url)),
        _ => bail!("`{}` is neither https nor a file", shown(url)),
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
