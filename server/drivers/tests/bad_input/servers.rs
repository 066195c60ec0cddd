//! Servers that misbehave, in plain threads: each connection is one story.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// A server whose every connection gets the same treatment.
pub struct Plain {
    pub address: String,
    stopped: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl Plain {
    /// 200 with this body.
    pub fn page(body: &str) -> Self {
        Self::status(200, body)
    }

    pub fn status(status: u16, body: &str) -> Self {
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        Self::banner(&answer)
    }

    pub fn redirect(to: &str) -> Self {
        Self::banner(&format!(
            "HTTP/1.1 307 X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ))
    }

    /// Reads a request, writes this, closes.
    pub fn banner(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::serve(move |stream, _| {
            request(stream);
            let _ = stream.write_all(answer.as_bytes());
        })
    }

    /// A chunked answer of this size.
    pub fn huge(size: usize) -> Self {
        Self::serve(move |stream, sent| {
            request(stream);
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n");
            let piece = [b' '; 16 * 1024];
            let mut written = 0;
            while written < size {
                let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
                if stream.write_all(&chunk).is_err() {
                    break;
                }
                written += piece.len();
            }
            sent.fetch_max(written, Ordering::SeqCst);
        })
    }

    /// One byte each 50 ms, for ever.
    pub fn drip() -> Self {
        Self::serve(|stream, _| {
            request(stream);
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n");
            while stream.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        })
    }

    /// Accepts and says nothing until the other side goes.
    pub fn mute() -> Self {
        Self::serve(|stream, _| {
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The most that went out on one connection.
    pub fn largest_sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    fn serve(story: impl Fn(&mut TcpStream, &AtomicUsize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Self {
            address,
            stopped: Arc::default(),
            accepted: Arc::default(),
            sent: Arc::default(),
        };
        let (stopped, accepted, sent) = (
            Arc::clone(&server.stopped),
            Arc::clone(&server.accepted),
            Arc::clone(&server.sent),
        );
        let story = Arc::new(story);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                accepted.fetch_add(1, Ordering::SeqCst);
                let (story, sent) = (Arc::clone(&story), Arc::clone(&sent));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    story(&mut stream, &sent);
                    let _ = stream.shutdown(Shutdown::Write);
                    let _ = stream.read_to_end(&mut Vec::new());
                });
            }
        });
        server
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The one connection that lets the listener see it; then the port is closed.
        let place = self.address.trim_start_matches("http://");
        let _ = TcpStream::connect(place);
        // Not for ever: somebody else may have been given the port.
        let start = Instant::now();
        while TcpStream::connect(place).is_ok() && start.elapsed() < Duration::from_secs(10) {
            thread::yield_now();
        }
    }
}

/// A fresh OpenBao behind TLS, as far as its health and its seal go.
pub struct Tls {
    pub address: String,
}

impl Tls {
    /// With `clients`, only those with a certificate of that authority are let in.
    pub fn start(certificate: &[u8], key: &[u8], clients: Option<&[u8]>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key).unwrap();
        let builder = rustls::ServerConfig::builder();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                roots
                    .add(CertificateDer::from_pem_slice(authority).unwrap())
                    .unwrap();
                let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots));
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let config = Arc::clone(&config);
                thread::spawn(move || greet(config, stream.unwrap()));
            }
        });
        Self { address }
    }
}

fn greet(config: Arc<rustls::ServerConfig>, mut stream: TcpStream) {
    let mut session = rustls::ServerConnection::new(config).unwrap();
    let mut tls = rustls::Stream::new(&mut session, &mut stream);
    let mut head = [0_u8; 4096];
    if !matches!(tls.read(&mut head), Ok(length) if length > 0) {
        return;
    }
    let body = r#"{"type":"static","initialized":false,"sealed":true,"version":"2.7.2"}"#;
    let answer = format!(
        "HTTP/1.1 501 X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = tls.write_all(answer.as_bytes());
    tls.conn.send_close_notify();
    let _ = tls.flush();
}

/// Reads to the end of a request's head.
fn request(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0_u8; 1];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
        // A TLS handshake has no such end.
        if head.first() == Some(&0x16) && head.len() > 64 {
            return;
        }
    }
}
