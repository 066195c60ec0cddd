//! A syslog receiver: messages as RFC 5424 has them, over TLS as RFC 5425 has it, each counted by
//! its octets. Without TLS only to this machine.
//!
//! Syslog acknowledges nothing. What was written to the connection was handed over, and that is
//! all that can be said; what was handed over shortly before a connection broke is handed over
//! again on the next one, so that a receiver that was started anew lacks nothing.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use quorate_control::{Content, Outside, Parcel, Terms};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Mutex,
};

use crate::{Named, OutsideError, Tls};

mod connection;
mod message;

use connection::{Connector, Stream};
use message::Sender;

/// How long a peer is listened to after a message: one that went away says so at once.
const LISTEN: Duration = Duration::from_millis(50);
/// What was handed over within this time on a connection that broke is handed over again.
const DOUBTED: Duration = Duration::from_secs(60);
/// The most bytes of it.
const DOUBTED_MOST: usize = 2 * 1024 * 1024;

/// By which wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tls,
    /// In the clear; the configuration allows it to this machine only.
    Tcp,
}

pub struct SyslogSettings {
    pub named: Named,
    pub transport: Transport,
    pub host: String,
    pub port: u16,
    pub tls: Tls,
}

pub struct Syslog {
    named: Named,
    connector: Connector,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sender: Sender,
    open: Option<Box<dyn Stream>>,
    /// What was handed over lately, and when.
    doubted: VecDeque<(Instant, Vec<u8>)>,
}

impl Syslog {
    /// # Errors
    /// If the certificates cannot be used.
    pub fn new(settings: SyslogSettings) -> Result<Self, OutsideError> {
        Ok(Self {
            connector: Connector::new(&settings)?,
            named: settings.named,
            state: Mutex::new(State::default()),
        })
    }

    /// Whether a connection can be made. Sends no message.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn diagnose(&self) -> Result<(), String> {
        let mut stream = self.connector.connect().await?;
        let _gone = stream.shutdown().await;
        Ok(())
    }

    async fn send(&self, parcel: &Parcel) -> Result<(), String> {
        let mut state = self.state.lock().await;
        // Taken out: a call that is given up in the middle of a message leaves no connection.
        let open = match state.open.take() {
            Some(mut stream) => is_open(&mut stream, Duration::ZERO).await.then_some(stream),
            None => None,
        };
        let mut stream = match open {
            Some(stream) => stream,
            None => {
                let mut stream = self.connector.connect().await?;
                state.forget();
                for (_, frame) in &state.doubted {
                    write(&mut stream, frame).await?;
                }
                stream
            }
        };
        let frames: Vec<Vec<u8>> = match &parcel.content {
            Content::Checkpoint { note, time } => {
                vec![state.sender.checkpoint(parcel, note, *time)]
            }
            Content::Entries(entries) => {
                let frame = |(_, bytes): &(u64, Vec<u8>)| state.sender.entry(&parcel.log, bytes);
                entries.iter().map(frame).collect()
            }
        };
        let mut all = Vec::new();
        for message in frames {
            let mut frame = format!("{} ", message.len()).into_bytes();
            frame.extend(message);
            all.extend_from_slice(&frame);
            state.doubted.push_back((Instant::now(), frame));
        }
        let written = write(&mut stream, &all).await;
        let written = match written {
            Ok(()) if !is_open(&mut stream, LISTEN).await => {
                Err("it closed the connection".to_owned())
            }
            written => written,
        };
        state.forget();
        written?;
        state.open = Some(stream);
        Ok(())
    }
}

impl State {
    fn forget(&mut self) {
        let mut bytes: usize = self.doubted.iter().map(|(_, frame)| frame.len()).sum();
        while let Some((at, frame)) = self.doubted.front() {
            if at.elapsed() < DOUBTED && bytes <= DOUBTED_MOST {
                return;
            }
            bytes -= frame.len();
            self.doubted.pop_front();
        }
    }
}

async fn write(stream: &mut Box<dyn Stream>, bytes: &[u8]) -> Result<(), String> {
    let both = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    both.await
        .map_err(|error| format!("the connection broke: {error}"))
}

/// Whether the peer has not said that it is gone. A receiver says nothing else.
async fn is_open(stream: &mut Box<dyn Stream>, listen: Duration) -> bool {
    let mut some = [0; 256];
    match tokio::time::timeout(listen, stream.read(&mut some)).await {
        Ok(Ok(0) | Err(_)) => false,
        Ok(Ok(_)) | Err(_) => true,
    }
}

impl Outside for Syslog {
    fn name(&self) -> &str {
        &self.named.name
    }

    fn terms(&self) -> &Terms {
        &self.named.terms
    }

    fn keep<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.send(parcel))
    }

    fn kept<'a>(
        &'a self,
        _log: &'a str,
        _size: u64,
    ) -> BoxFuture<'a, Result<Option<String>, String>> {
        // Syslog takes and does not tell.
        Box::pin(async { Ok(None) })
    }
}
