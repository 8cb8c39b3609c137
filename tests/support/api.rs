//! A make-believe API server: plain HTTP on this machine, with lists, watches, and what the fake
//! tools ask it to do. As much of it as labctl and the fakes use.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, protocol::Role};

use super::{
    engine::Engine,
    world::{Contents, LOOK},
};

/// A cluster that answers as long as this lives.
#[derive(Debug)]
pub(crate) struct Api {
    shared: Arc<Shared>,
    address: SocketAddr,
}

/// What was made in a cluster and on its engine by some time.
#[derive(Debug, Clone)]
pub(crate) struct MadeBefore(Contents);

#[derive(Debug, Default)]
struct Shared {
    contents: Mutex<Contents>,
    changed: Condvar,
}

impl Api {
    /// An API server of which no cluster was made yet.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if served.contents.lock().unwrap().over {
                    return;
                }
                let served = Arc::clone(&served);
                // Whoever hangs up in the middle of an answer got what it wanted.
                thread::spawn(move || connection.and_then(|c| served.serve(c)));
            }
        });
        Self { shared, address }
    }

    /// The same, whose nodes are on an engine that tests can look at.
    pub(crate) fn with_engine() -> Self {
        let api = Self::start();
        api.shared.contents.lock().unwrap().engine = Some(Engine::default());
        api
    }

    /// Looks at the engine, or has somebody do something there.
    pub(crate) fn engine<T>(&self, look: impl FnOnce(&mut Engine) -> T) -> T {
        look(
            self.shared
                .contents
                .lock()
                .unwrap()
                .engine
                .as_mut()
                .unwrap(),
        )
    }

    /// The cluster is gone without anybody having deleted it.
    pub(crate) fn forget(&self) {
        self.shared.contents.lock().unwrap().forget();
    }

    /// All that was made so far.
    pub(crate) fn made(&self) -> MadeBefore {
        MadeBefore(self.shared.contents.lock().unwrap().clone())
    }

    /// Puts back what was made before.
    pub(crate) fn restore(&self, made: &MadeBefore) {
        *self.shared.contents.lock().unwrap() = made.0.clone();
    }

    /// A cluster with this uid of `kube-system`, these pods and these disruption budgets.
    pub(crate) fn of(uid: &str, pods: Value, budgets: Value) -> Self {
        let api = Self::start();
        let mut contents = api.shared.contents.lock().unwrap();
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "kube-system", "uid": uid},
        });
        contents.change("/api/v1/namespaces", namespace);
        for (collection, objects) in [
            ("/api/v1/pods", pods),
            ("/apis/policy/v1/poddisruptionbudgets", budgets),
        ] {
            for object in objects.as_array().unwrap() {
                contents.change(collection, object.clone());
            }
        }
        drop(contents);
        api
    }

    /// A kubeconfig that leads to it.
    pub(crate) fn kubeconfig(&self) -> String {
        super::UNREACHABLE_KUBECONFIG.replace("127.0.0.1:1", &self.address())
    }

    /// Where it listens: `127.0.0.1:4711`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Puts an object into a collection, or in the place of the one of its name.
    pub(crate) fn put(&self, collection: &str, object: Value) {
        self.shared
            .contents
            .lock()
            .unwrap()
            .change(collection, object);
        self.shared.changed.notify_all();
    }

    /// The object at `path`.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.shared.contents.lock().unwrap().get(path).unwrap()
    }

    /// What was done in the cluster, in order: `create cluster`, `apply`, `exec`, `delete pod`,
    /// `drain`, `uncordon`, `toxic`, `toxic removed`, `delete cluster`.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.shared.contents.lock().unwrap().effects.clone()
    }

    /// Has a student call kubectl, with these arguments, separated by spaces.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &str) {
        let args: Vec<&str> = args.split_whitespace().collect();
        let mut contents = self.shared.contents.lock().unwrap();
        contents.kubectl(&args, "").unwrap();
        self.shared.changed.notify_all();
    }

    /// From now on every command that is run in the pod prints `text`; without one it never ends.
    pub(crate) fn prints(&self, pod: &str, text: Option<&str>) {
        let mut contents = self.shared.contents.lock().unwrap();
        match text {
            Some(text) => contents.printed.insert(pod.to_owned(), text.to_owned()),
            None => contents.printed.remove(pod),
        };
        self.shared.changed.notify_all();
    }

    /// How often `what` was done.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.effects()
            .iter()
            .filter(|effect| *effect == what)
            .count()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shared.contents.lock().unwrap().over = true;
        self.shared.changed.notify_all();
        // The one that waits for connections is woken by one.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        let mut request = String::new();
        reader.read_line(&mut request)?;
        let (mut length, mut key) = (0, None);
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? <= 2 {
                break;
            }
            let (name, value) = header.split_once(':').unwrap();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "sec-websocket-key" => key = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let target = request.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path == "/tool" {
            let ask = serde_json::from_slice(&body)?;
            let (out, err, code) = self.contents.lock().unwrap().tool(&ask);
            self.changed.notify_all();
            let answer = json!({"out": out, "err": err, "code": code});
            return answer_with(connection, "200 OK", &answer);
        }
        if self.contents.lock().unwrap().is_silent() {
            return Ok(());
        }
        if let (Some(pod), Some(key)) = (path.strip_suffix("/exec"), key) {
            let pod = pod.rsplit('/').next().unwrap();
            return self.exec(connection, pod, &key);
        }
        if query.split('&').any(|pair| pair == "watch=true") {
            let since = query
                .split('&')
                .find_map(|p| p.strip_prefix("resourceVersion="));
            return self.watch(connection, path, since.unwrap_or("0").parse().unwrap());
        }
        let found = self.contents.lock().unwrap().get(path);
        if let Some(found) = found {
            return answer_with(connection, "200 OK", &found);
        }
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "code": 404, "reason": "NotFound", "message": "there is no such thing"});
        answer_with(connection, "404 Not Found", &status)
    }

    /// Runs a command in a pod, as [`Api::prints`] says, by the protocol of `kubectl exec`.
    fn exec(&self, mut to: TcpStream, pod: &str, key: &str) -> std::io::Result<()> {
        write!(
            to,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n",
            tungstenite::handshake::derive_accept_key(key.as_bytes())
        )?;
        let mut contents = self.contents.lock().unwrap();
        let text = loop {
            if contents.over || is_gone(&to)? {
                return Ok(());
            }
            if let Some(text) = contents.printed.get(pod) {
                break text.clone();
            }
            contents = self.changed.wait_timeout(contents, LOOK).unwrap().0;
        };
        drop(contents);
        let mut socket = WebSocket::from_raw_socket(to, Role::Server, None);
        for (channel, text) in [(1, text.as_str()), (3, r#"{"status": "Success"}"#)] {
            let message = [&[channel], text.as_bytes()].concat();
            let sent = socket.send(Message::binary(message));
            sent.map_err(std::io::Error::other)?;
        }
        socket.close(None).map_err(std::io::Error::other)
    }

    fn watch(&self, mut to: TcpStream, collection: &str, since: u64) -> std::io::Result<()> {
        to.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
              Transfer-Encoding: chunked\r\n\r\n",
        )?;
        let mut told = since;
        loop {
            let mut contents = self.contents.lock().unwrap();
            let new: Vec<Value> = loop {
                // Threads of those that went away would pile up while a test runs labctl again and again.
                if contents.over || is_gone(&to)? {
                    return Ok(());
                }
                let new = contents.changes.iter();
                let new = new.filter(|c| c.version > told && c.collection == collection);
                let new: Vec<Value> = new.map(|c| c.told.clone()).collect();
                if !new.is_empty() {
                    break new;
                }
                contents = self.changed.wait_timeout(contents, LOOK).unwrap().0;
            };
            told = contents.version;
            drop(contents);
            for event in new {
                let line = format!("{event}\n");
                write!(to, "{:x}\r\n{line}\r\n", line.len())?;
            }
            to.flush()?;
        }
    }
}

/// Whether the other side has closed the connection, on which it sends nothing any more.
fn is_gone(connection: &TcpStream) -> std::io::Result<bool> {
    connection.set_nonblocking(true)?;
    let peeked = connection.peek(&mut [0]);
    connection.set_nonblocking(false)?;
    Ok(matches!(peeked, Ok(0)))
}

fn answer_with(mut to: TcpStream, status: &str, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    write!(
        to,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    to.flush()
}
