import CLinux

/// Many readers or one writer, of which a waiting writer goes first. Bodies may block.
@safe package final class ReadWriteLock: @unchecked Sendable {
    private let lock: UnsafeMutableRawPointer

    package init() {
        guard let made = unsafe godwit_rwlock_make() else { preconditionFailure("out of memory") }
        unsafe lock = made
    }

    // SAFETY: the pointer is that of `init`, freed here alone; the C side does its own locking.
    deinit { unsafe godwit_rwlock_free(lock) }

    /// A body must not lock again.
    package func reading<Value>(_ body: () throws -> Value) rethrows -> Value {
        unsafe godwit_rwlock_read(lock)
        defer { unsafe godwit_rwlock_unlock(lock) }
        return try body()
    }

    package func writing<Value>(_ body: () throws -> Value) rethrows -> Value {
        unsafe godwit_rwlock_write(lock)
        defer { unsafe godwit_rwlock_unlock(lock) }
        return try body()
    }
}
