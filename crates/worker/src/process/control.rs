//! The loopback channel on which a supervisor tells the SDK's engine why it is about to be stopped, and on which the
//! engine tells that it has reported the run's state. Knows nothing of processes; a child that never connects is fine.

use std::{io, sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};
use uuid::Uuid;

/// How long the child may take to send its token, and to acknowledge an intent.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(5);
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(1);

const CANCEL: u8 = b'c';
const ACKNOWLEDGED: u8 = b'a';
const HELLO: u8 = 0;
/// Answer to a hello: protocol 2, with receipts.
const WELCOME: [u8; 5] = [0, b'P', b'F', 2, 1];
const RECEIPT: u8 = 1;
const RECEIPT_TAKEN: u8 = 2;
const RECEIPT_LIMIT: u32 = 4096;

/// What is known of the session so far.
#[derive(Clone, Copy, Default)]
struct Progress {
    is_connected: bool,
    is_acknowledged: bool,
    is_concluded: bool,
}

/// One attempt's channel.
pub(crate) struct Control {
    port: u16,
    token: String,
    cancel: Arc<Notify>,
    progress: watch::Receiver<Progress>,
    session: JoinHandle<()>,
}

impl Control {
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let token = Uuid::new_v4().simple().to_string();
        let cancel = Arc::new(Notify::new());
        let (sender, progress) = watch::channel(Progress::default());
        let session = tokio::spawn(serve(listener, token.clone(), Arc::clone(&cancel), sender));
        Ok(Self { port, token, cancel, progress, session })
    }

    /// What the child needs to find us.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        [("PREFECT__CONTROL_PORT", self.port.to_string()), ("PREFECT__CONTROL_TOKEN", self.token.clone())]
    }

    /// Tells the engine that the next SIGTERM means cancellation, and waits (shortly) until it has taken note. An
    /// engine that has not connected has not begun the run, and needs no telling.
    pub(crate) async fn announce_cancel(&self) {
        let mut progress = self.progress.clone();
        if !progress.borrow().is_connected {
            return;
        }
        self.cancel.notify_one();
        let taken = progress.wait_for(|now| now.is_acknowledged || now.is_concluded || !now.is_connected);
        let _ = timeout(ACKNOWLEDGEMENT_TIMEOUT, taken).await;
    }

    /// The engine has said that it reported the run's state, or that the server told it to abort.
    pub(crate) fn is_concluded(&self) -> bool {
        self.progress.borrow().is_concluded
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.session.abort();
    }
}

/// Accepts connections until one knows the token; serves that one, and no other after it.
async fn serve(listener: TcpListener, token: String, cancel: Arc<Notify>, progress: watch::Sender<Progress>) {
    let mut stream = loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        let mut first = (&mut stream).take(128);
        if matches!(timeout(TOKEN_TIMEOUT, first.read_until(b'\n', &mut line)).await, Ok(Ok(_)))
            && line.trim_ascii() == token.as_bytes()
        {
            break stream;
        }
    };
    drop(listener);
    progress.send_modify(|now| now.is_connected = true);
    let _ = converse(&mut stream, &cancel, &progress).await;
    progress.send_modify(|now| now.is_connected = false);
}

async fn converse(
    stream: &mut BufReader<TcpStream>,
    cancel: &Notify,
    progress: &watch::Sender<Progress>,
) -> io::Result<()> {
    loop {
        let byte = tokio::select! {
            byte = stream.read_u8() => byte?,
            () = cancel.notified() => {
                stream.write_all(&[CANCEL]).await?;
                continue;
            }
        };
        match byte {
            HELLO => {
                stream.read_exact(&mut [0; WELCOME.len() - 1]).await?;
                stream.write_all(&WELCOME).await?;
            }
            ACKNOWLEDGED => progress.send_modify(|now| now.is_acknowledged = true),
            RECEIPT => {
                let length = stream.read_u32().await?;
                if length > RECEIPT_LIMIT {
                    return Ok(());
                }
                let mut receipt = vec![0; length as usize];
                stream.read_exact(&mut receipt).await?;
                if !is_conclusion(&receipt) {
                    return Ok(());
                }
                progress.send_modify(|now| now.is_concluded = true);
                stream.write_all(&[RECEIPT_TAKEN]).await?;
            }
            _ => return Ok(()),
        }
    }
}

/// Whether a receipt says that the engine is done with the run, in a state that lasts.
fn is_conclusion(receipt: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Receipt {
        disposition: String,
    }
    serde_json::from_slice(receipt).is_ok_and(|receipt: Receipt| {
        matches!(receipt.disposition.as_str(), "STATE_REPORTED" | "ORCHESTRATION_ABORTED")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn connect(control: &Control) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", control.port)).await.unwrap();
        stream.write_all(format!("{}\n", control.token).as_bytes()).await.unwrap();
        stream.write_all(&[0, b'P', b'F', 2, 1]).await.unwrap();
        let mut welcome = [0; 5];
        stream.read_exact(&mut welcome).await.unwrap();
        assert_eq!(welcome, WELCOME);
        stream
    }

    #[tokio::test]
    async fn an_engine_is_told_of_a_cancellation_and_takes_note() {
        let control = Control::open().await.unwrap();
        let mut engine = connect(&control).await;
        let engine = async {
            assert_eq!(engine.read_u8().await.unwrap(), CANCEL);
            engine.write_all(b"a").await.unwrap();
            engine
        };
        let (_engine, ()) = tokio::join!(engine, control.announce_cancel());
        control.progress.clone().wait_for(|now| now.is_acknowledged).await.unwrap();
    }

    #[tokio::test]
    async fn an_engine_that_reported_its_state_is_believed() {
        let control = Control::open().await.unwrap();
        let mut engine = connect(&control).await;
        let receipt = br#"{"disposition":"STATE_REPORTED","state_type":"COMPLETED"}"#;
        engine.write_all(&[RECEIPT]).await.unwrap();
        engine.write_u32(receipt.len() as u32).await.unwrap();
        engine.write_all(receipt).await.unwrap();
        assert_eq!(engine.read_u8().await.unwrap(), RECEIPT_TAKEN);
        assert!(control.is_concluded());
    }

    #[tokio::test]
    async fn a_stranger_is_turned_away_and_the_engine_still_gets_in() {
        let control = Control::open().await.unwrap();
        let mut stranger = TcpStream::connect(("127.0.0.1", control.port)).await.unwrap();
        stranger.write_all(b"guess\n").await.unwrap();
        assert_eq!(stranger.read(&mut [0; 1]).await.unwrap(), 0);
        connect(&control).await;
    }

    #[tokio::test]
    async fn nobody_is_waited_for_who_never_connected() {
        Control::open().await.unwrap().announce_cancel().await;
    }
}
