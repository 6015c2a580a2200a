//! What servers of these tests listen on.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tokio::net::TcpSocket;

/// An open port of the loopback. It takes no further connections when it is dropped.
pub(crate) struct Port {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Port {
    /// Hands over every connection, one after the other, in a thread of its own.
    pub(crate) fn open(mut take: impl FnMut(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                take(stream);
            }
        });
        Self { address, is_over }
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // The listener looks at the sign when somebody comes.
        drop(TcpStream::connect(self.address));
    }
}

/// Makes the close of a stream a reset: what was not sent yet is lost, and the other end gets an error.
pub(crate) fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    TcpSocket::from_std_stream(stream.try_clone()?).set_zero_linger()
}
