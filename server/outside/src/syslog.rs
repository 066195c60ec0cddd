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
/// What was handed over within this time before the last message of a connection that broke is
/// handed over again, whenever that is found.
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
        let (mut all, mut handed) = (Vec::new(), Vec::new());
        for message in frames {
            let mut frame = format!("{} ", message.len()).into_bytes();
            frame.extend(message);
            all.extend_from_slice(&frame);
            handed.push(frame);
        }
        let written = write(&mut stream, &all).await;
        let written = match written {
            Ok(()) if !is_open(&mut stream, LISTEN).await => {
                Err("it closed the connection".to_owned())
            }
            written => written,
        };
        // What failed is given again by whoever gave it.
        written?;
        let now = Instant::now();
        let handed = handed.into_iter().map(|frame| (now, frame));
        state.doubted.extend(handed);
        state.forget();
        state.open = Some(stream);
        Ok(())
    }
}

impl State {
    /// By the time of the last one, not by the clock: that its connection broke is found when the
    /// next one is sent, and that may be hours later.
    fn forget(&mut self) {
        let Some(last) = self.doubted.back().map(|(at, _)| *at) else {
            return;
        };
        let mut bytes: usize = self.doubted.iter().map(|(_, frame)| frame.len()).sum();
        while let Some((at, frame)) = self.doubted.front() {
            if last.duration_since(*at) < DOUBTED && bytes <= DOUBTED_MOST {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_over_last_is_doubted_however_long_ago_that_was() {
        let first = Instant::now();
        let mut state = State::default();
        for (after, frame) in [(0, b"a"), (30, b"b"), (70, b"c")] {
            let at = first + Duration::from_secs(after);
            state.doubted.push_back((at, frame.to_vec()));
        }
        state.forget();
        let left: Vec<u8> = state
            .doubted
            .iter()
            .flat_map(|(_, it)| it.clone())
            .collect();
        assert_eq!(left, b"bc");
        let at = first + Duration::from_secs(71);
        state.doubted.push_back((at, vec![0; DOUBTED_MOST]));
        state.forget();
        assert_eq!(state.doubted.len(), 1, "of bounded size");
    }
}
