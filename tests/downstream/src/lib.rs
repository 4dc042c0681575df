//! Nothing of its own: only its tests matter.
