//! How many connections there are, in all and from one peer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ServerConfig;
use crate::doors::Doors;

/// The half of the house that one peer may fill.
const PEER_SHARE: usize = 2;

/// Counts connections against their bounds.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    all: Arc<Semaphore>,
    bounds: Arc<Bounds>,
    peers: Arc<Mutex<BTreeMap<IpAddr, Peer>>>,
}

#[derive(Debug)]
struct Bounds {
    connections_max: usize,
    requests_max: usize,
    streams_max: usize,
    proxies: Vec<IpAddr>,
}

#[derive(Debug)]
struct Peer {
    connection_count: usize,
    doors: Arc<Doors>,
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
    /// None for one of the proxies, which is not counted.
    counted: Option<(IpAddr, Arc<Doors>)>,
    _room: Room,
}

impl Crowd {
    /// Starts with nobody.
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let max = config.connections_max.clamp(1, Semaphore::MAX_PERMITS);
        let proxies = config.proxies.iter().map(IpAddr::to_canonical);
        Self {
            all: Arc::new(Semaphore::new(max)),
            bounds: Arc::new(Bounds {
                connections_max: config.connections_per_peer_max,
                requests_max: config.requests_in_flight_max.div_ceil(PEER_SHARE),
                streams_max: config.streams_open_max.div_ceil(PEER_SHARE),
                proxies: proxies.collect(),
            }),
            peers: Arc::default(),
        }
    }

    /// Waits until there is room for one more connection.
    pub(crate) async fn room(&self) -> Room {
        let permit = Arc::clone(&self.all).acquire_owned().await;
        Room {
            _permit: permit.expect("the semaphore is never closed"),
        }
    }

    /// Seats a connection, or refuses it if its peer already has as many as it may.
    pub(crate) fn seat(&self, room: Room, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let counted = if self.bounds.proxies.contains(&address) {
            None
        } else {
            let peer = network(address);
            Some((peer, self.count(peer)?))
        };
        Some(Place {
            crowd: self.clone(),
            counted,
            _room: room,
        })
    }

    /// Counts one more connection of a peer and returns the peer's doors.
    fn count(&self, peer: IpAddr) -> Option<Arc<Doors>> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        // Before there is an entry: only a connection that was let in removes it again.
        let count = peers.get(&peer).map_or(0, |peer| peer.connection_count);
        if count >= self.bounds.connections_max {
            return None;
        }
        let peer = peers.entry(peer).or_insert_with(|| Peer {
            connection_count: 0,
            doors: Arc::new(Doors::new(
                self.bounds.requests_max,
                self.bounds.streams_max,
            )),
        });
        peer.connection_count += 1;
        Some(Arc::clone(&peer.doors))
    }
}

impl Place {
    /// Returns the doors through which the connection's requests have to pass, if any.
    pub(crate) fn doors(&self) -> Option<Arc<Doors>> {
        self.counted.as_ref().map(|(_, doors)| Arc::clone(doors))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((address, _)) = &self.counted else {
            return;
        };
        let peers = self.crowd.peers.lock();
        let mut peers = peers.unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get_mut(address) {
            peer.connection_count -= 1;
            if peer.connection_count == 0 {
                peers.remove(address);
            }
        }
    }
}

/// Returns the address under which a peer is counted.
///
/// With IPv6 a customer is given a network of at least 64 bits (RFC 6177), and could come from
/// another address of it each time.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;
    use crate::flow::Flow;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn crowd(connections_max: usize, connections_per_peer_max: usize) -> Crowd {
        Crowd::new(&ServerConfig {
            connections_max,
            connections_per_peer_max,
            ..ServerConfig::default()
        })
    }

    #[tokio::test]
    async fn one_address_cannot_take_every_place() {
        let crowd = crowd(3, 2);
        let first = crowd.seat(crowd.room().await, ONE).unwrap();
        let _second = crowd.seat(crowd.room().await, ONE).unwrap();
        assert!(crowd.seat(crowd.room().await, ONE).is_none());
        let _other = crowd.seat(crowd.room().await, TWO).unwrap();
        drop(first);
        assert!(crowd.seat(crowd.room().await, ONE).is_some());
    }

    #[tokio::test]
    async fn nobody_remembers_a_peer_that_was_never_let_in() {
        let crowd = crowd(3, 0);
        assert!(crowd.seat(crowd.room().await, ONE).is_none());
        assert!(crowd.peers.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_full_house_lets_nobody_in_until_somebody_leaves() {
        let crowd = crowd(1, 9);
        let only = crowd.seat(crowd.room().await, ONE).unwrap();
        assert!(crowd.all.try_acquire().is_err());
        drop(only);
        assert!(crowd.all.try_acquire().is_ok());
        assert!(crowd.peers.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_proxy_may_take_every_place_and_the_whole_house() {
        let crowd = crowd(9, 1);
        for text in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let proxy = text.parse().unwrap();
            let first = crowd.seat(crowd.room().await, proxy).unwrap();
            let second = crowd.seat(crowd.room().await, proxy).unwrap();
            assert!(first.doors().is_none() && second.doors().is_none());
        }
        assert!(crowd.peers.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn one_peer_fills_half_of_the_house_over_all_its_connections() {
        let crowd = Crowd::new(&ServerConfig {
            requests_in_flight_max: 4,
            streams_open_max: 2,
            ..ServerConfig::default()
        });
        let first = crowd.seat(crowd.room().await, ONE).unwrap();
        let second = crowd.seat(crowd.room().await, ONE).unwrap();
        let (first, second) = (first.doors().unwrap(), second.doors().unwrap());
        let stream = first.enter(Flow::Stream);
        assert!(stream.is_some() && second.enter(Flow::Stream).is_none());
        let whole = second.enter(Flow::Whole);
        assert!(whole.is_some() && first.enter(Flow::Whole).is_none());
        let other = crowd.seat(crowd.room().await, TWO).unwrap();
        assert!(other.doors().unwrap().enter(Flow::Stream).is_some());
    }

    #[tokio::test]
    async fn addresses_of_one_network_are_one_peer() {
        let crowd = crowd(9, 1);
        let seat = async |text: &str| crowd.seat(crowd.room().await, text.parse().unwrap());
        let _first = seat("2001:db8::1").await.unwrap();
        assert!(seat("2001:db8::ffff:2").await.is_none());
        assert!(seat("2001:db8:0:1::1").await.is_some());
        let _mapped = seat("::ffff:10.0.0.1").await.unwrap();
        assert!(seat("10.0.0.1").await.is_none());
    }
}
