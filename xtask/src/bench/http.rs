//! A connection of the load tool: HTTP/1.1 with keep-alive and nothing else, so that the tool takes as little as possible
//! of the cores it shares with the server. Answers need a `content-length`; both servers send it.

use std::fmt;

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The most that an answer may be long.
const LONGEST: usize = 64 << 20;

pub struct Connection {
    stream: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
}

/// An answer, as long as the connection is not used again.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

/// The server had no time for a request.
#[derive(Debug)]
pub enum Refusal {
    /// It answered 5xx, with these words. Under load, the reference says 500 as well as 503.
    Busy(u16, String),
    /// It closed the connection instead of answering.
    Closed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(status, words) => write!(f, "{status}: {words}"),
            Self::Closed => f.write_str("the server closed the connection"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Answer<'_> {
    /// The body as JSON, or what the server said instead of success.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::from_slice(self.success()?)?)
    }

    /// The body, or what the server said instead of success.
    pub fn success(&self) -> anyhow::Result<&[u8]> {
        match self.status {
            200..300 => Ok(self.body),
            status @ 500.. => Err(Refusal::Busy(status, String::from_utf8_lossy(self.body).into()).into()),
            status => bail!("{status}: {}", String::from_utf8_lossy(self.body)),
        }
    }
}

impl Connection {
    /// Connects to a port of this machine: the tool never loads another one.
    pub async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, sent: Vec::with_capacity(4096), received: Vec::with_capacity(1 << 16) })
    }

    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer<'_>> {
        self.ask("GET", path, b"").await
    }

    pub async fn post(&mut self, path: &str, body: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.ask("POST", path, body).await
    }

    async fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.sent.clear();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.sent.extend_from_slice(request.as_bytes());
        self.sent.extend_from_slice(body);
        self.stream.write_all(&self.sent).await?;
        self.received.clear();
        let (status, head, length) = loop {
            if let Some(parsed) = parse_head(&self.received)? {
                break parsed;
            }
            self.read().await?;
        };
        ensure!(length <= LONGEST, "an answer of {length} bytes");
        while self.received.len() < head + length {
            self.read().await?;
        }
        Ok(Answer { status, body: &self.received[head..head + length] })
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.received).await? > 0 { Ok(()) } else { Err(Refusal::Closed.into()) }
    }
}

/// Status, length of the head and length of the body, once the head has arrived whole.
fn parse_head(received: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 48];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(received)? else { return Ok(None) };
    let status = response.code.context("an answer without status")?;
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = match length {
        Some(header) => std::str::from_utf8(header.value)?.parse()?,
        None if status == 204 => 0,
        None => bail!("an answer ({status}) without content-length"),
    };
    Ok(Some((status, head, length)))
}
