//! What must hold after every step of the slots that all clinics share: no limit is exceeded by those who have one, what is kept for
//! callers is taken by callers alone, and each write follows the one before it. And when all is at rest: nobody has one.

use std::collections::BTreeMap;

use domain::{
    call::Direction,
    slots::{Lease, Slots},
};

use crate::{items, world::World};

/// How many calls there may be at a time, as decided: whatever the functions are told.
const ALL: usize = 10;
const KEPT_FOR_CALLERS: usize = 2;
const PER_ORG: usize = 6;
const PER_CALLER: usize = 3;
const PER_NUMBER: usize = 5;

/// The slots as they were last looked at.
#[derive(Debug, Default)]
pub struct Seen {
    slots: Slots,
    /// The most that were taken at a time.
    pub most: usize,
}

/// Something that does not hold: what, and what was found instead.
pub type Broken = (&'static str, String);

impl Seen {
    /// Checks the slots, and what has become of them since they were last looked at.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check(&mut self, world: &World) -> Result<(), Broken> {
        let slots = read(world).map_err(|error| ("every record can be read", error))?;
        let before = std::mem::replace(&mut self.slots, slots.clone());
        self.most = self.most.max(slots.leases.len());
        if slots.leases != before.leases && slots.version <= before.version {
            let detail = format!(
                "version {} follows {}: {slots:?}, before: {before:?}",
                slots.version, before.version
            );
            return Err(("slots are written as they were read", detail));
        }
        let most = |key: &dyn Fn(&Lease) -> Option<String>| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            slots.leases.iter().filter_map(key).for_each(|key| *counts.entry(key).or_default() += 1);
            counts.into_values().max().unwrap_or_default()
        };
        let counts = [
            (slots.leases.len(), ALL),
            (most(&|lease| Some(lease.org_id.to_string())), PER_ORG),
            (most(&|lease| lease.caller.as_ref().map(|caller| format!("{caller:?}"))), PER_CALLER),
            (most(&|lease| lease.dialled.as_ref().map(|dialled| format!("{dialled:?}"))), PER_NUMBER),
            (most(&|lease| Some(format!("{} {}", lease.org_id, lease.call_id))), 1),
        ];
        if counts.iter().any(|(count, most)| count > most) {
            return Err(("nobody has more slots than their share", format!("{slots:?}")));
        }
        let is_new = |lease: &&Lease| !before.leases.iter().any(|there| there.call_id == lease.call_id);
        let mut begun =
            slots.leases.iter().filter(|lease| lease.direction == Direction::Outbound).filter(is_new);
        if slots.leases.len() + KEPT_FOR_CALLERS > ALL
            && let Some(lease) = begun.next()
        {
            return Err(("slots are kept for callers", format!("{lease:?} is one of {slots:?}")));
        }
        Ok(())
    }
}

/// Nobody has a slot any more.
///
/// # Errors
/// Who has one: a sentence.
pub fn at_rest(world: &World) -> Result<(), String> {
    let slots = read(world)?;
    if slots.leases.is_empty() { Ok(()) } else { Err(format!("a slot is still taken: {slots:?}")) }
}

fn read(world: &World) -> Result<Slots, String> {
    let record = items::get(&world.stack.aws, "call_slots", &[("name", "vapi")]);
    if record.is_null() { Ok(Slots::default()) } else { items::typed(&record) }
}
