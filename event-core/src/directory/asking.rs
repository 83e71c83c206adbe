//! Who waits for which answer: one question for all requests about one subject. It sends nothing; a question is named by the
//! token that the host gave it.

use super::question::Subject;

/// The questions of one worker and who waits for them. There are few at a time: they stand in lists.
#[derive(Debug)]
pub struct Asking<W> {
    questions: Vec<Question<W>>,
    n_waiting: usize,
    max_questions: usize,
    max_waiting: usize,
}

#[derive(Debug)]
struct Question<W> {
    subject: Subject,
    token: u32,
    asked_ms: u64,
    /// Who asked, or `None` if the answer reaches the worker whoever goes.
    leader: Option<u32>,
    /// With the ids of their contexts, in the order in which they came.
    waiting: Vec<(u32, W)>,
}

/// A question that has its answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered<W> {
    /// What it was about.
    pub subject: Subject,
    /// When it was asked.
    pub asked_ms: u64,
    /// Who waits for it, in the order in which they came.
    pub waiting: Vec<W>,
}

/// Whether a request can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It can, and must ask.
    Leads,
    /// It can: its question is under way.
    Follows,
    /// There are too many already.
    None,
}

impl<W> Asking<W> {
    /// Nobody asks.
    #[must_use]
    pub const fn new(max_questions: usize, max_waiting: usize) -> Self {
        Self { questions: Vec::new(), n_waiting: 0, max_questions, max_waiting }
    }

    fn question(&mut self, subject: &Subject) -> Option<&mut Question<W>> {
        self.questions.iter_mut().find(|question| question.subject == *subject)
    }

    /// Whether one more request can wait for the answer about this subject.
    #[must_use]
    pub fn place(&self, subject: &Subject) -> Place {
        if self.n_waiting >= self.max_waiting {
            Place::None
        } else if self.questions.iter().any(|question| question.subject == *subject) {
            Place::Follows
        } else if self.questions.len() >= self.max_questions {
            Place::None
        } else {
            Place::Leads
        }
    }

    /// The request `context` has asked and waits. Nobody asks about this subject yet.
    pub fn lead(&mut self, subject: &Subject, token: u32, now_ms: u64, context: u32, waiter: W) {
        self.questions.push(Question {
            subject: subject.clone(),
            token,
            asked_ms: now_ms,
            leader: Some(context),
            waiting: vec![(context, waiter)],
        });
        self.n_waiting += 1;
    }

    /// The request `context` waits, too.
    pub fn follow(&mut self, subject: &Subject, context: u32, waiter: W) {
        if let Some(question) = self.question(subject) {
            question.waiting.push((context, waiter));
            self.n_waiting += 1;
        }
    }

    /// The request `context` has gone. A question that nobody waits for any more is forgotten.
    pub fn leave(&mut self, subject: &Subject, context: u32) {
        let Some(question) = self.question(subject) else { return };
        let before = question.waiting.len();
        question.waiting.retain(|(other, _)| *other != context);
        let (n_gone, nobody) = (before - question.waiting.len(), question.waiting.is_empty());
        self.n_waiting -= n_gone;
        if nobody {
            self.questions.retain(|question| question.subject != *subject);
        }
    }

    /// The answer to a question is here. `None` if nobody asked it, or waits for it any more.
    pub fn answered(&mut self, token: u32) -> Option<Answered<W>> {
        let at = self.questions.iter().position(|question| question.token == token)?;
        let Question { subject, asked_ms, waiting, .. } = self.questions.swap_remove(at);
        self.n_waiting -= waiting.len();
        Some(Answered { subject, asked_ms, waiting: waiting.into_iter().map(|(_, waiter)| waiter).collect() })
    }

    /// Questions whose leader has gone, so that no answer will reach the others; and those asked before `since_ms`.
    #[must_use]
    pub fn lost(&self, since_ms: u64) -> Vec<Subject> {
        let is_lost = |question: &&Question<W>| {
            let is_here = |leader| question.waiting.iter().any(|(context, _)| *context == leader);
            !question.leader.is_none_or(is_here) || question.asked_ms < since_ms
        };
        self.questions.iter().filter(is_lost).map(|question| question.subject.clone()).collect()
    }

    /// Whether a question was asked before `since_ms`.
    #[must_use]
    pub fn is_overdue(&self, subject: &Subject, since_ms: u64) -> bool {
        self.questions.iter().any(|question| question.subject == *subject && question.asked_ms < since_ms)
    }

    /// The worker itself has asked again.
    pub fn asked_again(&mut self, subject: &Subject, token: u32, now_ms: u64) {
        if let Some(question) = self.question(subject) {
            question.token = token;
            question.asked_ms = now_ms;
            question.leader = None;
        }
    }

    /// All that wait for the answer about a subject that will not come.
    pub fn give_up(&mut self, subject: &Subject) -> Vec<W> {
        let token = self.question(subject).map(|question| question.token);
        token.and_then(|token| self.answered(token)).map(|answered| answered.waiting).unwrap_or_default()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::SourceIndex;
    use crate::subject::Ids;

    fn subject(device: &str) -> Subject {
        Subject::new(SourceIndex(0), &Ids { device: Some(device), ..Ids::default() })
    }

    #[test]
    fn one_question_serves_all_that_ask_the_same() {
        let mut asking = Asking::new(8, 8);
        assert_eq!(asking.place(&subject("d")), Place::Leads);
        asking.lead(&subject("d"), 7, 30, 1, "one");
        assert_eq!(asking.place(&subject("d")), Place::Follows);
        asking.follow(&subject("d"), 2, "two");
        assert_eq!(asking.place(&subject("e")), Place::Leads);
        assert_eq!(asking.answered(9), None);
        let answered = Answered { subject: subject("d"), asked_ms: 30, waiting: vec!["one", "two"] };
        assert_eq!(asking.answered(7), Some(answered));
        assert_eq!(asking.answered(7), None);
        assert!(asking.is_empty());
    }

    #[test]
    fn both_bounds_hold() {
        let mut asking = Asking::new(1, 2);
        asking.lead(&subject("d"), 1, 0, 1, ());
        assert_eq!(asking.place(&subject("e")), Place::None);
        assert_eq!(asking.place(&subject("d")), Place::Follows);
        asking.follow(&subject("d"), 2, ());
        assert_eq!(asking.place(&subject("d")), Place::None);
        asking.leave(&subject("d"), 2);
        assert_eq!(asking.place(&subject("d")), Place::Follows);
        asking.leave(&subject("d"), 1);
        assert_eq!(asking.place(&subject("e")), Place::Leads);
    }

    #[test]
    fn when_the_leader_goes_the_others_are_lost_until_somebody_asks_again() {
        let mut asking = Asking::new(8, 8);
        asking.lead(&subject("d"), 1, 100, 1, "one");
        asking.follow(&subject("d"), 2, "two");
        assert_eq!(asking.lost(100), []);
        asking.leave(&subject("d"), 1);
        assert_eq!(asking.lost(100), [subject("d")]);
        asking.asked_again(&subject("d"), 2, 150);
        assert_eq!(asking.lost(100), []);
        assert_eq!(asking.answered(1), None, "the first answer reaches nobody");
        let answered = Answered { subject: subject("d"), asked_ms: 150, waiting: vec!["two"] };
        assert_eq!(asking.answered(2), Some(answered));
    }

    #[test]
    fn a_question_that_is_overdue_is_lost() {
        let mut asking = Asking::new(8, 8);
        asking.lead(&subject("d"), 1, 100, 1, "one");
        assert_eq!(asking.lost(101), [subject("d")]);
        assert!(!asking.is_overdue(&subject("d"), 100) && asking.is_overdue(&subject("d"), 101));
        assert_eq!(asking.give_up(&subject("d")), ["one"]);
        assert_eq!(asking.answered(1), None);
        assert!(asking.is_empty());
    }
}
