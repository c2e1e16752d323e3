//! The porter: lets in whoever shows the token of a caller, where one is needed.
//!
//! A token has too many characters to be guessed, so what is bounded here is the work and the
//! noise that wrong ones make: each costs one short hash, its answer comes after a pause, so
//! many may be in that pause at once, and the log counts them instead of telling each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sameas_api::v1::identity_service_server::SERVICE_NAME as IDENTITY;
use sameas_api::v1::match_service_server::SERVICE_NAME as MATCH;
use sameas_api::v1::profile_service_server::SERVICE_NAME as PROFILE;
use tonic::codegen::http::HeaderMap;
use tonic::codegen::http::header::AUTHORIZATION;

use crate::callers::{Caller, Callers, Right};
use crate::gate::Gate;
use crate::refusal::Refusal;
use crate::values::Values;

/// How long the answer to a wrong token waits.
const PAUSE: Duration = Duration::from_secs(1);
/// The most calls that wait in that pause; more are told to come later.
const PAUSED_COUNT_MAX: usize = 64;
/// How often the log says that there were wrong tokens.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The token of some caller.
    Caller,
    /// The token of a caller with this right.
    Right(Right),
}

/// Asks for tokens.
#[derive(Debug)]
pub(crate) struct Porter {
    callers: Callers,
    /// The services that need something.
    needs: Vec<(&'static str, Need)>,
    paused: Arc<Gate>,
    wrong_count: Arc<AtomicU64>,
    is_counting: Arc<AtomicBool>,
}

impl Porter {
    /// Returns a porter if anything that is offered needs a token.
    pub(crate) fn of(values: &Values) -> Option<Arc<Self>> {
        let mut needs = Vec::new();
        if values.lookup_needs_caller {
            needs.push((IDENTITY, Need::Caller));
        }
        if values.matches.is_some() {
            needs.push((MATCH, Need::Right(Right::Find)));
        }
        if values.profiles.is_some() {
            needs.push((PROFILE, Need::Right(Right::Profile)));
        }
        let porter = (!needs.is_empty()).then(|| Self {
            callers: values.callers.clone(),
            needs,
            paused: Gate::new(PAUSED_COUNT_MAX),
            wrong_count: Arc::default(),
            is_counting: Arc::default(),
        });
        porter.map(Arc::new)
    }

    /// Returns what a call of this path needs, if anything.
    pub(crate) fn need(&self, path: &str) -> Option<Need> {
        let service = path.strip_prefix('/')?.split('/').next()?;
        let (_, need) = self.needs.iter().find(|(name, _)| *name == service)?;
        Some(*need)
    }

    /// Returns whose token a call shows, if that is enough.
    pub(crate) async fn admit(
        &self,
        shown: Option<Vec<u8>>,
        need: Need,
    ) -> Result<Arc<Caller>, Refusal> {
        let token = shown.ok_or(Refusal::CallerUnknown)?;
        let Some(caller) = self.callers.find(&token).cloned() else {
            return Err(self.refuse().await);
        };
        match need {
            Need::Right(right) if !caller.rights.may.contains(&right) => {
                tracing::debug!(
                    caller = caller.name,
                    ?right,
                    "a caller asked for what it may not"
                );
                let caller = caller.name.clone();
                Err(Refusal::RightMissing { caller, right })
            }
            _ => Ok(caller),
        }
    }

    /// Lets a wrong token wait.
    async fn refuse(&self) -> Refusal {
        self.note_wrong();
        let Some(_pass) = self.paused.enter() else {
            return Refusal::Overloaded;
        };
        tokio::time::sleep(PAUSE).await;
        Refusal::CallerUnknown
    }

    fn note_wrong(&self) {
        self.wrong_count.fetch_add(1, Ordering::Relaxed);
        if self.is_counting.swap(true, Ordering::Relaxed) {
            return;
        }
        let (count, is_counting) = (Arc::clone(&self.wrong_count), Arc::clone(&self.is_counting));
        tracing::warn!("a call with a wrong token is refused");
        tokio::spawn(async move {
            tokio::time::sleep(LOG_INTERVAL).await;
            is_counting.store(false, Ordering::Relaxed);
            let more = count.swap(0, Ordering::Relaxed).saturating_sub(1);
            if more > 0 {
                tracing::warn!(more, "more calls with wrong tokens were refused");
            }
        });
    }
}

/// Takes the token out of the headers, so that nobody behind the porter sees it.
pub(crate) fn take_token(headers: &mut HeaderMap) -> Option<Vec<u8>> {
    let value = headers.remove(AUTHORIZATION)?;
    let (scheme, token) = value.as_bytes().split_at_checked("bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii().to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;
    use crate::Rights;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn porter() -> Arc<Porter> {
        let mut callers = Callers::new([3; 32]);
        callers.admit("ui", TOKEN, Rights::default());
        let values = Values::new(callers).with_caller_for_lookups();
        Porter::of(&values).unwrap()
    }

    #[test]
    fn only_bearer_tokens_are_taken_and_none_is_left() {
        for (text, expected) in [
            ("Bearer abc", Some("abc")),
            ("bEARER  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, text.parse().unwrap());
            let token = take_token(&mut headers);
            assert_eq!(token.as_deref(), expected.map(str::as_bytes), "{text}");
            assert!(headers.is_empty());
        }
    }

    #[tokio::test]
    async fn wrong_tokens_wait_and_so_many_at_once() {
        let porter = porter();
        let wrong = || Some(b"wrong".to_vec());
        let began = std::time::Instant::now();
        let all = (0..=PAUSED_COUNT_MAX).map(|_| {
            let porter = Arc::clone(&porter);
            tokio::spawn(async move { porter.admit(wrong(), Need::Caller).await.unwrap_err() })
        });
        let all: Vec<_> = all.collect();
        let mut refusals = Vec::new();
        for refused in all {
            refusals.push(refused.await.unwrap());
        }
        assert!(began.elapsed() >= PAUSE);
        let is_busy = |refusal: &&Refusal| **refusal == Refusal::Overloaded;
        assert_eq!(refusals.iter().filter(is_busy).count(), 1);
        // Whoever has the right one is not held up by them.
        let shown = Some(TOKEN.into());
        assert_eq!(porter.admit(shown, Need::Caller).await.unwrap().name, "ui");
        let refused = porter.admit(None, Need::Caller).await;
        assert_eq!(refused.unwrap_err(), Refusal::CallerUnknown);
    }

    #[test]
    fn what_is_not_offered_needs_nothing() {
        let porter = porter();
        let need = |path: &str| porter.need(path);
        assert_eq!(
            need("/sameas.v1.IdentityService/Lookup"),
            Some(Need::Caller)
        );
        assert_eq!(need("/sameas.v1.ProfileService/GetProfile"), None);
        assert_eq!(need("/grpc.health.v1.Health/Check"), None);
        assert!(Porter::of(&Values::default()).is_none());
    }
}
