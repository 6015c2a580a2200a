//! How much is tried: a sample on every day, everything with `BOBBYPIN_THOROUGH=1` (see `tests/thorough.sh`).
#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "one variable is read here, and counts are told")]

use std::{
    env, fmt,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// Whether everything is to be tried.
pub(crate) fn is_thorough() -> bool {
    env::var_os("BOBBYPIN_THOROUGH").is_some_and(|value| value == "1")
}

/// The larger number in the thorough form.
pub(crate) fn size(sample: usize, thorough: usize) -> usize {
    if is_thorough() { thorough } else { sample }
}

/// All of them in the thorough form; otherwise so many, evenly spread, the last among them.
pub(crate) fn sample<T>(all: Vec<T>, wanted: usize) -> Vec<T> {
    let count = all.len();
    if is_thorough() || count <= wanted {
        return all;
    }
    let is_taken = |place: &usize| place * wanted / count != (place + 1) * wanted / count;
    all.into_iter().enumerate().filter(|(place, _)| is_taken(place)).map(|(_, one)| one).collect()
}

/// Does all of the work in some threads, each at a place of its own.
pub(crate) fn share<T: Sync, P, R: Send>(
    work: &[T],
    threads: usize,
    place: impl Fn() -> P + Sync,
    each: impl Fn(&P, &T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let serve = || {
        let place = place();
        let mine = std::iter::from_fn(|| work.get(next.fetch_add(1, Ordering::SeqCst)));
        mine.map(|one| each(&place, one)).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.min(work.len())).map(|_| scope.spawn(serve)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("what is tried holds")).collect()
    })
}

/// Says at the end what was tried.
pub(crate) fn tell(what: impl fmt::Display, time: Duration) {
    let form = if is_thorough() { "thorough" } else { "sample" };
    eprintln!("{form}: {what}; {:.1} s", time.as_secs_f64());
}
