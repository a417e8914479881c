//! How many connections there may be, in all and of one address.

use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// Counts connections; a clone counts the same ones.
#[derive(Clone)]
pub(super) struct Admission {
    max: usize,
    max_per_address: usize,
    /// Addresses with at least one connection, so never more than `max`.
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The right to one connection, given back when dropped.
pub(super) struct Ticket {
    address: IpAddr,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Admission {
    pub(super) fn new(max: usize, max_per_address: usize) -> Admission {
        Admission {
            max,
            max_per_address,
            open: Arc::default(),
        }
    }

    /// A ticket for one more connection of `address`, unless a limit is reached.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Ticket> {
        let mut open = self.open.lock();
        let of_address = open.get(&address).copied().unwrap_or(0);
        if of_address >= self.max_per_address || open.values().sum::<usize>() >= self.max {
            return None;
        }
        open.insert(address, of_address + 1);
        Some(Ticket {
            address,
            open: self.open.clone(),
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        match open.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_in_all_and_of_one_address() {
        let [a, b, c] = [1, 2, 3].map(|last| IpAddr::from([127, 0, 0, last]));
        let admission = Admission::new(3, 2);
        let first = admission.admit(a);
        let _second = admission.admit(a);
        assert!(
            first.is_some() && admission.admit(a).is_none(),
            "two of one address"
        );
        let _third = admission.admit(b);
        assert!(admission.admit(c).is_none(), "three in all");
        drop(first);
        assert!(admission.admit(c).is_some(), "a ticket came back");
        assert_eq!(
            admission.open.lock().len(),
            2,
            "addresses without connections are forgotten"
        );
    }
}
