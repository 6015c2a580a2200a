//! A reference that says who is at work, so that runs do not compute at the same time for nothing.
//!
//! This is politeness. That no commit is lost comes from the comparison that every publishing makes, with or without it.

use std::{
    hash::{BuildHasher, RandomState},
    thread,
    time::Duration,
};

use git2::{Buf, ObjectType};
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use crate::{
    edge::git::{
        GitError, PublishError, Server, commit_id, git_failed, object_id,
        prepare::{commit_bytes, memory_repository, signature},
        remote::patiently,
        store::Store,
        swap::Swap,
    },
    model::{
        repository::{Author, LockReference},
        tree::CommitId,
    },
};

/// How often somebody who waits looks again.
const PAUSE: Duration = Duration::from_millis(500);

/// What the message of a lock's commit begins with; a time follows.
const UNTIL: &str = "bobbypin is at work until ";

/// A lock that is held, until [`Held::release`] or its time is over.
#[derive(Debug)]
pub struct Held<'s> {
    server: &'s Server,
    reference: String,
    commit: CommitId,
}

impl Server {
    /// Takes the lock, and waits for whoever has it. `None` when the wait was too long: then the run goes on without it.
    ///
    /// # Errors
    ///
    /// Those of [`Server::replace`] and [`Server::reference`].
    pub fn lock(&self, lock: &LockReference, who: &Author, now: Timestamp) -> Result<Option<Held<'_>>, PublishError> {
        let deadline = self.deadline();
        // The clock of a run stands still; what has passed since is what is left less of the deadline.
        let time =
            || now + SignedDuration::try_from(deadline.given().saturating_sub(deadline.left())).unwrap_or_default();
        loop {
            let found = self.reference(&lock.reference)?;
            let expected = match &found {
                Some(commit) => (self.is_over(commit, time())?).then_some(Some(commit)),
                None => Some(None),
            };
            if let Some(expected) = expected {
                let until = time() + SignedDuration::from_secs(lock.expires.into());
                let (commit, pack) = claim(who, until, time())?;
                let (branch, reference) = (lock.reference.as_str(), lock.reference.as_str());
                match self.swap(&Swap { branch, reference, expected, new: Some(&commit) }, &pack) {
                    Ok(()) => return Ok(Some(Held { server: self, reference: lock.reference.clone(), commit })),
                    // Somebody was faster.
                    Err(PublishError::Moved { .. }) => (),
                    Err(error) => return Err(error),
                }
            }
            if PAUSE >= deadline.left() {
                warn!(reference = lock.reference, "another run is at work for too long; going on without the lock");
                return Ok(None);
            }
            info!(reference = lock.reference, "another run is at work");
            thread::sleep(PAUSE);
        }
    }

    /// Whether a lock counts for nothing any more. What is no lock of this program does not count either.
    fn is_over(&self, commit: &CommitId, now: Timestamp) -> Result<bool, GitError> {
        let store = Store::new()?;
        let deadline = self.deadline();
        let get = || {
            let mut reading = self.reading(deadline)?;
            store.receive(|sink| reading.commits(commit.as_str(), 1, sink))
        };
        patiently(deadline, get).map_err(|error| self.failed(error))?;
        let failed = git_failed(|| format!("the lock {commit}"));
        let found = store.repository.inner.find_commit(object_id(commit)).map_err(failed)?;
        let until = found
            .message()
            .ok()
            .and_then(|text| text.strip_prefix(UNTIL)?.split('\n').next()?.parse::<Timestamp>().ok());
        Ok(until.is_none_or(|until| until <= now))
    }
}

impl Held<'_> {
    /// Gives the lock back. A failure is no reason to fail: the lock ends by itself.
    pub fn release(self) {
        let (branch, reference) = (self.reference.as_str(), self.reference.as_str());
        let swap = Swap { branch, reference, expected: Some(&self.commit), new: None };
        if let Err(error) = self.server.swap(&swap, &[]) {
            warn!(%error, reference, "the lock was not given back; it ends by itself");
        }
    }
}

/// A commit without files that says who is at work, and that no other run makes.
fn claim(who: &Author, until: Timestamp, now: Timestamp) -> Result<(CommitId, Buf), PublishError> {
    let failed = git_failed(|| "a new lock".to_owned());
    let memory = memory_repository()?;
    let make = || {
        let tree = memory.odb()?.write(ObjectType::Tree, b"")?;
        let message = format!("{UNTIL}{until}\n\n{:016x}\n", RandomState::new().hash_one(std::process::id()));
        Ok::<_, git2::Error>((tree, message))
    };
    let (tree, message) = make().map_err(&failed)?;
    let who = signature(who, now.as_second())?;
    let bytes = commit_bytes(&memory, &who, &message, tree, None).map_err(&failed)?;
    let commit = memory.odb().and_then(|database| database.write(ObjectType::Commit, &bytes)).map_err(&failed)?;
    let mut pack = Buf::new();
    let build = |pack: &mut Buf| {
        let mut builder = memory.packbuilder()?;
        builder.insert_object(tree, None)?;
        builder.insert_object(commit, None)?;
        builder.write_buf(pack)
    };
    build(&mut pack).map_err(&failed)?;
    Ok((commit_id(commit), pack))
}
