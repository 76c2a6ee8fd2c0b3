//! When to acknowledge what was received.

/// Used until the peer names its window; what most servers and encoders use.
const DEFAULT_WINDOW: u32 = 2_500_000;

/// Counts what came after the handshake. The wire's counter wraps at 2^32, ours does not: servers that compare the
/// wrapped one stop after 4 GiB.
#[derive(Debug)]
pub(super) struct Flow {
    received: u64,
    acknowledged: u64,
    window: u32,
}

impl Default for Flow {
    fn default() -> Self {
        Self { received: 0, acknowledged: 0, window: DEFAULT_WINDOW }
    }
}

impl Flow {
    pub(super) const fn set_window(&mut self, window: u32) {
        self.window = window;
    }

    /// Counts bytes and says whether an acknowledgement is due: at half the window, since some hardware encoders stop
    /// before the whole.
    pub(super) const fn receive(&mut self, bytes: usize) -> bool {
        self.received = self.received.saturating_add(bytes as u64);
        bytes > 0 && self.received.saturating_sub(self.acknowledged) >= (self.window / 2) as u64
    }

    /// The sequence number to acknowledge with.
    pub(super) const fn acknowledge(&mut self) -> u32 {
        self.acknowledged = self.received;
        self.received as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_due_at_half_the_window() {
        let mut flow = Flow::default();
        assert!(!flow.receive(1_249_999));
        assert!(flow.receive(1));
        assert_eq!(flow.acknowledge(), 1_250_000);
        assert!(!flow.receive(1_249_999));
        flow.set_window(1000);
        assert!(flow.receive(1));
    }

    #[test]
    fn the_counter_goes_on_past_the_wrap_of_the_wire() {
        let mut flow = Flow { received: u32::MAX.into(), acknowledged: u32::MAX.into(), window: 10 };
        assert!(flow.receive(6));
        assert_eq!(flow.acknowledge(), 5);
        assert!(!flow.receive(4));
        assert!(flow.receive(1));
        assert_eq!(flow.acknowledge(), 10);
    }
}
