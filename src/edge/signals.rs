//! Interruptions that wait for a moment at which nothing is half done.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};

/// Holds SIGINT and SIGTERM back while the program swaps a branch: a process that ends in the middle of it leaves Git's
/// lock behind, and a person would have to remove that.
///
/// Before [`Interruptions::hold_back`] both signals end the program at once, as without this.
#[derive(Debug)]
pub struct Interruptions {
    /// Whether a signal ends the program at once.
    at_once: Arc<AtomicBool>,
    /// The signal that came meanwhile; 0: none.
    waiting: Arc<AtomicUsize>,
}

impl Interruptions {
    /// Takes the signals over.
    ///
    /// # Errors
    ///
    /// When the system refuses; then the signals do what they always do.
    pub fn new() -> io::Result<Self> {
        let interruptions = Self { at_once: Arc::new(AtomicBool::new(true)), waiting: Arc::new(AtomicUsize::new(0)) };
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_default(signal, interruptions.at_once.clone())?;
            let number = usize::try_from(signal).expect("signals are small and positive");
            flag::register_usize(signal, interruptions.waiting.clone(), number)?;
        }
        Ok(interruptions)
    }

    /// Runs something to its end. A signal that comes meanwhile or later waits for [`Interruptions::give_way`]: whoever
    /// has a result to tell tells it first.
    pub fn hold_back<T>(&self, work: impl FnOnce() -> T) -> T {
        self.at_once.store(false, Ordering::SeqCst);
        work()
    }

    /// From here on signals end the program at once again; so does one that has waited.
    pub fn give_way(&self) {
        self.at_once.store(true, Ordering::SeqCst);
        let waiting = i32::try_from(self.waiting.swap(0, Ordering::SeqCst)).unwrap_or_default();
        if waiting != 0 {
            // This ends the process as the signal would have. Should it fail, the program goes on as if there was none.
            drop(low_level::emulate_default_handler(waiting));
        }
    }
}
