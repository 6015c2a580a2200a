//! A network that fails on purpose: a proxy before a port of the loopback.
#![expect(clippy::disallowed_methods, reason = "it waits with a deadline")]

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::loopback::{Port, reset_on_close};

/// How long a blocked write waits before it looks whether the connection is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// How many bytes go through at once.
const PIECE: usize = 16 << 10;

/// Where bytes go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// What goes wrong in a run. All counts are over all connections of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The connection that carries byte number `after` of a direction is reset on both sides, after exactly so many. With
    /// 0 that is the first connection, before it carries anything.
    Cut { direction: Direction, after: u64, then: Then },
    /// From byte number `after` of a direction on nothing is carried any more, in both directions and on all connections,
    /// and nothing is closed.
    BlackHole { direction: Direction, after: u64 },
    /// One direction carries no more than this on each connection: below 50 byte by byte, with equal pauses between.
    Drip { direction: Direction, bytes_per_second: u32 },
}

/// What becomes of the network after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// All is well for everything but the one connection.
    Heals,
    /// Every connection is reset, and every later one as soon as it is made.
    StaysDown,
}

/// What a run carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Bytes that were passed on.
    pub(crate) to_server: u64,
    /// Bytes that were passed on.
    pub(crate) to_client: u64,
    /// Connections that were made, those that were reset at once too.
    pub(crate) connections: u64,
    /// Whether a cut or a hole was reached.
    pub(crate) has_struck: bool,
}

/// The proxy. It ends with all its connections when it is dropped.
pub(crate) struct FaultProxy {
    port: Port,
    run: Arc<Mutex<Arc<Run>>>,
}

/// What happens between two calls of [`FaultProxy::begin`].
struct Run {
    fault: Fault,
    recorded: Mutex<Recorded>,
    open: Mutex<Vec<Weak<Connection>>>,
}

/// Both sides of a connection. They are closed when the last thread that serves them lets go.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    is_cut: AtomicBool,
}

/// What becomes of bytes that were read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    GoOn,
    Cut(Then),
    Swallow,
}

impl FaultProxy {
    /// Before a port of the loopback, without any fault.
    pub(crate) fn start(port: u16) -> Self {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let run = Arc::new(Mutex::new(Arc::new(Run::of(Fault::None))));
        let current = run.clone();
        let port = Port::open(move |client| {
            let run = current.lock().expect("no thread panics with it").clone();
            // A connection that fails is no matter: that is what happens here.
            drop(carry(client, server, &run));
        });
        Self { port, run }
    }

    /// Where it listens on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// Begins a run: resets what is still open of the last one, and counts from nought.
    pub(crate) fn begin(&self, fault: Fault) {
        let last = std::mem::replace(&mut *self.run(), Arc::new(Run::of(fault)));
        last.cut_all();
    }

    /// What this run carried, as soon as none of its connections is open any more. Fails after ten seconds.
    pub(crate) fn settled(&self) -> Recorded {
        let run = self.run().clone();
        let start = Instant::now();
        while run.open().iter().any(|connection| connection.strong_count() > 0) {
            assert!(start.elapsed() < Duration::from_secs(10), "a connection stays open: {:?}", run.recorded());
            thread::yield_now();
        }
        *run.recorded()
    }

    fn run(&self) -> MutexGuard<'_, Arc<Run>> {
        self.run.lock().expect("no thread panics with it")
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.run().cut_all();
    }
}

impl Run {
    fn of(fault: Fault) -> Self {
        Self { fault, recorded: Mutex::default(), open: Mutex::default() }
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().expect("no thread panics with it")
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.open.lock().expect("no thread panics with it")
    }

    fn cut_all(&self) {
        for connection in self.open().iter().filter_map(Weak::upgrade) {
            connection.cut();
        }
    }

    /// Counts bytes that are about to be passed on. Gives how many of them may be, and what is to happen then.
    fn pass(&self, direction: Direction, size: usize) -> (usize, Verdict) {
        let size = u64::try_from(size).expect("a size of memory");
        let mut recorded = self.recorded();
        let (limited, after, verdict) = match self.fault {
            Fault::None | Fault::Drip { .. } => (direction, u64::MAX, Verdict::GoOn),
            Fault::Cut { direction, after, then } => (direction, after, Verdict::Cut(then)),
            Fault::BlackHole { direction, after } => (direction, after, Verdict::Swallow),
        };
        let (allowed, verdict) = match verdict {
            Verdict::Cut(Then::StaysDown) | Verdict::Swallow if recorded.has_struck => (0, verdict),
            Verdict::Cut(_) | Verdict::Swallow if limited == direction && !recorded.has_struck => {
                let left = after.saturating_sub(*recorded.count(direction));
                if size < left { (size, Verdict::GoOn) } else { (left, verdict) }
            }
            Verdict::GoOn | Verdict::Cut(_) | Verdict::Swallow => (size, Verdict::GoOn),
        };
        *recorded.count(direction) += allowed;
        recorded.has_struck |= verdict != Verdict::GoOn;
        (usize::try_from(allowed).expect("no more than there were"), verdict)
    }

    /// The pause before each piece of a direction, and how large the piece is.
    fn pace(&self, direction: Direction) -> (Duration, usize) {
        match self.fault {
            Fault::Drip { direction: slow, bytes_per_second } if slow == direction => {
                let piece = (bytes_per_second / 50).max(1);
                let pause = Duration::from_secs_f64(f64::from(piece) / f64::from(bytes_per_second));
                (pause, usize::try_from(piece).expect("a small number"))
            }
            Fault::None | Fault::Cut { .. } | Fault::BlackHole { .. } | Fault::Drip { .. } => (Duration::ZERO, PIECE),
        }
    }
}

impl Recorded {
    fn count(&mut self, direction: Direction) -> &mut u64 {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

impl Connection {
    /// Resets both sides as soon as the threads that serve them have seen it.
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for side in [&self.client, &self.server] {
            // What is gone already needs no reset.
            drop(reset_on_close(side));
            // Ends a read that waits, and tells the other end nothing.
            drop(side.shutdown(Shutdown::Read));
        }
    }

    fn write(&self, mut to: &TcpStream, bytes: &[u8], pace: (Duration, usize)) -> io::Result<()> {
        let (pause, piece) = pace;
        for piece in bytes.chunks(piece) {
            if !pause.is_zero() {
                thread::sleep(pause);
            }
            let mut left = piece;
            while !left.is_empty() {
                if self.is_cut.load(Ordering::SeqCst) {
                    return Err(ErrorKind::ConnectionReset.into());
                }
                match to.write(left) {
                    Ok(written) => left = &left[written..],
                    Err(error) if is_pause(&error) => (),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// Whether a call only has to be made again.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Serves a connection of a run in threads of its own.
fn carry(client: TcpStream, server: SocketAddr, run: &Arc<Run>) -> io::Result<()> {
    let is_down = {
        let mut recorded = run.recorded();
        recorded.connections += 1;
        let is_down = match run.fault {
            Fault::Cut { then: Then::StaysDown, .. } if recorded.has_struck => true,
            Fault::Cut { after: 0, .. } => !recorded.has_struck,
            Fault::None | Fault::Cut { .. } | Fault::BlackHole { .. } | Fault::Drip { .. } => false,
        };
        recorded.has_struck |= is_down;
        is_down
    };
    if is_down {
        return reset_on_close(&client);
    }
    let server = TcpStream::connect(server).inspect_err(|_| drop(reset_on_close(&client)))?;
    for side in [&client, &server] {
        side.set_nodelay(true)?;
        side.set_write_timeout(Some(LOOK))?;
    }
    let connection = Arc::new(Connection { client, server, is_cut: AtomicBool::new(false) });
    run.open().push(Arc::downgrade(&connection));
    for direction in [Direction::ToServer, Direction::ToClient] {
        let (connection, run) = (connection.clone(), run.clone());
        thread::spawn(move || {
            if pump(direction, &connection, &run).is_err() {
                connection.cut();
            }
        });
    }
    Ok(())
}

/// Carries one direction of a connection to its end.
fn pump(direction: Direction, connection: &Connection, run: &Run) -> io::Result<()> {
    let (mut from, to) = match direction {
        Direction::ToServer => (&connection.client, &connection.server),
        Direction::ToClient => (&connection.server, &connection.client),
    };
    let pace = run.pace(direction);
    let mut bytes = [0; PIECE];
    loop {
        let size = match from.read(&mut bytes) {
            Ok(size) => size,
            Err(error) if is_pause(&error) => continue,
            Err(error) => return Err(error),
        };
        if connection.is_cut.load(Ordering::SeqCst) {
            return Ok(());
        }
        if size == 0 {
            // Nobody may learn anything through a hole; but when an end has gone for good, the other is let go.
            return match run.fault {
                Fault::BlackHole { .. } if run.recorded().has_struck => Err(ErrorKind::ConnectionReset.into()),
                Fault::None | Fault::Cut { .. } | Fault::BlackHole { .. } | Fault::Drip { .. } => {
                    to.shutdown(Shutdown::Write)
                }
            };
        }
        let (allowed, verdict) = run.pass(direction, size);
        connection.write(to, &bytes[..allowed], pace)?;
        match verdict {
            Verdict::GoOn | Verdict::Swallow => (),
            Verdict::Cut(Then::Heals) => return Err(ErrorKind::ConnectionReset.into()),
            Verdict::Cut(Then::StaysDown) => {
                run.cut_all();
                return Ok(());
            }
        }
    }
}
