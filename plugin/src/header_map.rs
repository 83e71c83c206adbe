//! All headers or trailers of a message, read where Envoy put them. It changes none.
//!
//! The SDK copies every name and value into an allocation of its own and panics on a name that is not UTF-8. Here one
//! allocation holds the whole map, and what does not fit its form is left out.

use proxy_wasm::types::{MapType, Status};
use std::ptr::null_mut;

/// Envoy's serialised map: the number of pairs, then the length of each name and value, then the names and values, each
/// ended by a zero byte. All numbers are 32-bit little-endian (proxy-wasm ABI 0.2.1, "serialized map").
#[derive(Debug)]
pub(crate) struct HeaderMap(Vec<u8>);

/// Bytes of one number.
const NUMBER: usize = size_of::<u32>();

impl HeaderMap {
    /// Reads a map that Envoy has at this moment.
    pub(crate) fn read(map: MapType) -> Result<Self, Status> {
        let (mut data, mut size) = (null_mut::<u8>(), 0_usize);
        #[allow(unsafe_code, reason = "the ABI")]
        // SAFETY: both pointers are to locals that outlive the call.
        let status = unsafe { proxy_get_header_map_pairs(map, &raw mut data, &raw mut size) };
        if !matches!(status, Status::Ok) {
            return Err(status);
        }
        if data.is_null() {
            return Ok(Self(Vec::new()));
        }
        #[allow(unsafe_code, reason = "the ABI")]
        // SAFETY: Envoy got `data` from the SDK's `proxy_on_memory_allocate`, which makes a boxed slice of just this size,
        // has filled it, and leaves it to us.
        Ok(Self(unsafe { Vec::from_raw_parts(data, size, size) }))
    }

    /// Names and values in Envoy's order; a name may come several times.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let count = self.number(0).unwrap_or_default();
        let mut next = NUMBER + count.saturating_mul(2 * NUMBER);
        (0..count).map_while(move |index| {
            let lengths = NUMBER + index * 2 * NUMBER;
            let mut take = |length: usize| {
                let text = self.0.get(next..next.checked_add(length)?)?;
                next += length + 1;
                Some(text)
            };
            Some((take(self.number(lengths)?)?, take(self.number(lengths + NUMBER)?)?))
        })
    }

    fn number(&self, at: usize) -> Option<usize> {
        let bytes = self.0.get(at..at + NUMBER)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    }
}

#[allow(unsafe_code, reason = "the ABI")]
// SAFETY: the signature is that of proxy-wasm ABI 0.2.1.
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> Status;
}
