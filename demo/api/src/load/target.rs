//! The URL that load is sent to.

use std::str::FromStr;

use hyper::{Uri, http::uri::InvalidUri};

/// An `http` URL in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As it was given.
    pub url: String,
    /// Name or address, without brackets.
    pub host: String,
    /// 80 unless the URL says otherwise.
    pub port: u16,
    /// What the header `host` says.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

/// Why a URL is no target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is no URL.
    #[error("it is no URL: {0}")]
    Invalid(#[from] InvalidUri),
    /// It is not for plain HTTP, or has no host.
    #[error("it does not begin with `http://` and a host")]
    NotHttp,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url.parse()?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(TargetError::NotHttp);
        };
        let host = authority.host();
        let host = host.strip_prefix('[').unwrap_or(host);
        Ok(Self {
            url: url.to_owned(),
            host: host.strip_suffix(']').unwrap_or(host).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            // Without a user's name and password, which no header may hold.
            authority: match authority.port() {
                Some(port) => format!("{}:{port}", authority.host()),
                None => authority.host().to_owned(),
            },
            path: uri.path_and_query().map_or("/", |p| p.as_str()).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_in_its_parts() {
        let target: Target = "http://api.shop:8080/api/entries?x=1".parse().unwrap();
        assert_eq!((target.host.as_str(), target.port), ("api.shop", 8080));
        assert_eq!(target.authority, "api.shop:8080");
        assert_eq!(target.path, "/api/entries?x=1");
        let target: Target = "http://[::1]".parse().unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 80));
        assert_eq!(
            (target.authority.as_str(), target.path.as_str()),
            ("[::1]", "/")
        );
    }

    #[test]
    fn what_cannot_be_reached_by_plain_http_is_refused() {
        for url in ["https://api/", "api:8080", "/api/entries", "http://"] {
            assert!(url.parse::<Target>().is_err(), "{url}");
        }
    }
}
