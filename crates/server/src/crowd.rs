//! How many connections there are, in all and from one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts connections against their bounds.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    all: Arc<Semaphore>,
    per_peer: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    per_peer_max: usize,
}

/// The room of one more connection, whoever it comes from.
#[derive(Debug)]
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// The place of one connection; it is free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Crowd,
    peer: IpAddr,
    _room: Room,
}

impl Crowd {
    /// Starts with nobody.
    pub(crate) fn new(max: usize, per_peer_max: usize) -> Self {
        let all = Arc::new(Semaphore::new(max.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            all,
            per_peer: Arc::default(),
            per_peer_max,
        }
    }

    /// Waits until there is room for one more connection.
    pub(crate) async fn room(&self) -> Room {
        let permit = Arc::clone(&self.all).acquire_owned().await;
        Room {
            _permit: permit.expect("the semaphore is never closed"),
        }
    }

    /// Seats a connection, or refuses it if its address already has as many as it may.
    pub(crate) fn seat(&self, room: Room, peer: IpAddr) -> Option<Place> {
        let mut per_peer = self.per_peer.lock().unwrap_or_else(PoisonError::into_inner);
        let count = per_peer.entry(peer).or_default();
        if *count >= self.per_peer_max {
            return None;
        }
        *count += 1;
        drop(per_peer);
        Some(Place {
            crowd: self.clone(),
            peer,
            _room: room,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut per_peer = self
            .crowd
            .per_peer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = per_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                per_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[tokio::test]
    async fn one_address_cannot_take_every_place() {
        let crowd = Crowd::new(3, 2);
        let first = crowd.seat(crowd.room().await, ONE).unwrap();
        let _second = crowd.seat(crowd.room().await, ONE).unwrap();
        assert!(crowd.seat(crowd.room().await, ONE).is_none());
        let _other = crowd.seat(crowd.room().await, TWO).unwrap();
        drop(first);
        assert!(crowd.seat(crowd.room().await, ONE).is_some());
    }

    #[tokio::test]
    async fn a_full_house_lets_nobody_in_until_somebody_leaves() {
        let crowd = Crowd::new(1, 9);
        let only = crowd.seat(crowd.room().await, ONE).unwrap();
        assert!(crowd.all.try_acquire().is_err());
        drop(only);
        assert!(crowd.all.try_acquire().is_ok());
        assert!(crowd.per_peer.lock().unwrap().is_empty());
    }
}
