import CXXHash
import MigrationCore

/// XXH3 with 128 bits over bytes that come piece by piece.
///
/// It tells two contents apart that differ by accident; against a forger it does not help.
@safe package final class StreamDigest {
    // SAFETY: made here, freed in `deinit`, never handed out; libxxhash keeps no other reference.
    private let state: OpaquePointer

    package init() {
        guard let state = unsafe XXH3_createState() else {
            preconditionFailure("out of memory")
        }
        unsafe self.state = state
        _ = unsafe XXH3_128bits_reset(state)
    }

    deinit { _ = unsafe XXH3_freeState(state) }

    package func update(_ bytes: ArraySlice<UInt8>) {
        _ = unsafe bytes.withUnsafeBytes { buffer in
            unsafe XXH3_128bits_update(state, buffer.baseAddress, buffer.count)
        }
    }

    func withState(_ body: (OpaquePointer) -> Void) { unsafe body(state) }

    package func update(_ text: String) { update(Array(text.utf8)[...]) }

    /// A number in eight bytes, the least significant first.
    package func update(_ number: UInt64) {
        update((0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }[...])
    }

    /// The digest so far, in 32 lower-case hexadecimal digits.
    package var text: String {
        let hash = unsafe XXH3_128bits_digest(state)
        return hexadecimal(hash.high64) + hexadecimal(hash.low64)
    }
}

private func hexadecimal(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
