//! behavior

/// Proof that this station speaks; made here alone.
#[derive(Clone, Copy, Debug)]
pub struct Witness(());

#[cfg(test)]
impl Witness {
    /// For tests of the stations behind this one.
    pub(crate) const fn in_tests() -> Self {
        Self(())
    }
}
