//! HTTP requests to pods and Services through the API server, which passes them on. I/O.

use http::Request;
use http_body_util::{BodyExt, Limited};
use kube::client::Body;

use super::{
    cluster::{ANSWER, Cluster, ClusterError, no_answer},
    text::innermost,
};

/// The maximum size of an answer, in bytes: the counters of a busy mesh proxy are some hundred
/// kilobytes.
const LARGEST: usize = 8 << 20;

/// An answer, from the target of the request or from the API server itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The whole body.
    pub body: String,
}

impl Reply {
    /// Returns true if the answer is the API server's own: it could not pass the request on.
    #[must_use]
    pub fn is_api_server(&self) -> bool {
        let status: Option<serde_json::Value> = serde_json::from_str(&self.body).ok();
        status.is_some_and(|status| status["kind"] == "Status" && status["apiVersion"] == "v1")
    }

    /// Returns the answer's message, in one line.
    #[must_use]
    pub fn message(&self) -> String {
        let status: Option<serde_json::Value> = serde_json::from_str(&self.body).ok();
        let said = status.as_ref().and_then(|status| {
            let message = status.get("message").or_else(|| status.get("error"))?;
            message.as_str().map(ToOwned::to_owned)
        });
        let said = said.unwrap_or_else(|| self.body.lines().next().unwrap_or_default().to_owned());
        format!("{}: {}", self.status, super::text::clean(&said))
    }
}

impl Cluster {
    /// Sends GET `path` to the API server and returns the answer, whatever its status.
    pub async fn get(&self, path: &str) -> Result<Reply, ClusterError> {
        let unreachable = |why: String| ClusterError::Unreachable { why };
        let request = Request::get(path).body(Body::empty());
        let request = request.map_err(|e| unreachable(innermost(&e)))?;
        let client = self.prober();
        let ask = async {
            let answer = client.send(request).await.map_err(|e| innermost(&e))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|e| innermost(&*e))?.to_bytes();
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Reply { status, body })
        };
        let answered = tokio::time::timeout(ANSWER, ask).await;
        answered
            .map_err(|_| unreachable(no_answer()))?
            .map_err(unreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_is_told_apart() {
        let of = |status, body: &str| Reply {
            status,
            body: body.to_owned(),
        };
        let api = of(
            503,
            r#"{"kind":"Status","apiVersion":"v1","message":"no endpoints available for service \"toxiproxy\"","code":503}"#,
        );
        assert!(api.is_api_server());
        assert_eq!(
            api.message(),
            "503: no endpoints available for service \"toxiproxy\""
        );
        let toxiproxy = of(404, r#"{"error":"proxy not found","status":404}"#);
        assert!(!toxiproxy.is_api_server());
        assert_eq!(toxiproxy.message(), "404: proxy not found");
        assert!(!of(200, "# HELP x\nx 1").is_api_server());
    }
}
