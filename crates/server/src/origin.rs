//! Where a request comes from: what every request learns of the connection it came on.

use std::sync::Arc;

use crate::doors::Doors;
use crate::groups::Groups;
use crate::leash::{Leash, Untaken};

/// The connection of a request, and the peer behind it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// None for a peer that may fill the whole house.
    doors: Option<Arc<Doors>>,
    leash: Arc<Leash>,
    groups: Arc<Groups>,
}

impl Origin {
    /// Makes the origin of what comes on a new connection.
    pub(crate) fn new(doors: Option<Arc<Doors>>) -> Self {
        Self {
            doors,
            leash: Arc::default(),
            groups: Arc::default(),
        }
    }

    /// Returns the doors of the peer, through which its requests have to pass, if it has some.
    pub(crate) fn doors(&self) -> Option<&Doors> {
        self.doors.as_deref()
    }

    /// Returns the groups in which answers leave.
    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Notes that there is something to take.
    pub(crate) fn hold(&self) -> Untaken {
        self.leash.hold()
    }

    /// Begins the next period, and returns whether something was not taken in all of this one.
    pub(crate) fn turn(&self) -> bool {
        self.leash.turn()
    }
}
