import LinuxHost

/// Watches one address space while its tasks run.
///
/// A page that may have changed since it was last reported is reported again, whatever happens in
/// between to it and to the mapping it lies in. All methods block; one thread at a time calls them.
package protocol DirtyTracker: AnyObject, Sendable {
    var kind: TrackerKind { get }

    /// What was written, or is new, since the call before; everything at the first call.
    ///
    /// - Parameter isFrozen: no task of the process runs, and none may answer a tracer.
    /// - Throws: `notFound` if the process has ended; `busy` if it has executed a program, or
    ///   cannot be read now: a new tracker is needed; `refused` if this kind of tracker cannot
    ///   watch it any longer.
    func round(isFrozen: Bool) throws -> TrackedRound

    /// Tells what was read of pages that a round reported, so that a tracker which compares
    /// contents knows what has travelled. May come from several threads at once.
    ///
    /// - Parameter content: whole pages.
    func wasRead(_ content: UnsafeRawBufferPointer, at address: UInt64)

    /// Ends the watch and takes everything back that it put into the process.
    func close()
}

/// How a tracker finds written pages, the best first.
package enum TrackerKind: String, Codable, Sendable, CaseIterable {
    /// A userfaultfd in asynchronous write-protect mode: Linux 6.7.
    case writeProtect = "write-protect"
    /// Marks of the kernel that few configurations have.
    case softDirty = "soft-dirty"
    /// Hashes of all contents, compared: any kernel, and each round reads everything.
    case hash

    /// Those that this kernel has what it takes for.
    package static let usable = allCases.filter { kind in
        switch kind {
        case .writeProtect: PageTable.canScan
        case .softDirty: HeldProcess.hasSoftDirty
        case .hash: true
        }
    }
}

/// What a round found in one address space, and what it watched.
package struct TrackedRound: Equatable, Sendable {
    /// Written or new since the last round, and with content.
    package var dirty = AddressSet()
    /// All pages with content. A page that was reported earlier and is in `tracked` but not here
    /// was given back by the process: it is zero now.
    package var present = AddressSet()
    /// All addresses that the tracker answers for. Memory outside of them travels otherwise.
    package var tracked = AddressSet()
    /// For how long the process stood for it.
    package var stopped = Duration.zero

    package init() {}
}
