//! Whether what carries a request still stands while the request is under way: asked of memory
//! wherever it tells, and of the store where memory was emptied meanwhile.

use super::context::Passage;
use super::fail::Failure;
use super::gateway::Gateway;
use crate::clock::UnixMillis;
use crate::store::StoreError;

impl Gateway {
    /// Whether the proof that carries a request still stands, as far as memory tells.
    pub(super) fn still_stands(&self, passage: &Passage) -> bool {
        let (sessions, now) = (&self.parts.sessions, self.parts.now());
        let since = passage.since;
        let goes_on = passage.carrier().is_none_or(|root| sessions.carries(now, root, since));
        goes_on && is_in_time(passage, now)
    }

    /// The same where the store can be asked. After a gap in what that tells, as when another of
    /// its servers took over, memory knows of nobody; nobody is signed out for that.
    ///
    /// # Errors
    /// When it does not stand any more, or nobody can tell.
    pub(super) async fn stands(&self, passage: &Passage) -> Result<(), Failure> {
        match self.still_stands(passage) {
            true => Ok(()),
            false => Box::pin(self.looked_up(passage)).await,
        }
    }

    async fn looked_up(&self, passage: &Passage) -> Result<(), Failure> {
        let sessions = &self.parts.sessions;
        let in_time = is_in_time(passage, self.parts.now());
        let in_doubt = in_time && sessions.is_in_doubt(passage.since);
        let Some(session) = passage.visit.session().filter(|_| in_doubt) else {
            return Err(Failure::SessionEnded);
        };
        let found = sessions.look(self.parts.now(), session.bind).await?;
        if found.is_none_or(|found| found.root != session.root) {
            return Err(Failure::SessionEnded);
        }
        // Memory knows of it again. A request that takes longer ends where nothing is heard.
        match self.still_stands(passage) {
            true => Ok(()),
            false => Err(StoreError::Unavailable("nothing was heard of it".to_owned()).into()),
        }
    }
}

fn is_in_time(passage: &Passage, now: UnixMillis) -> bool {
    passage.until().is_none_or(|until| now < until)
}
