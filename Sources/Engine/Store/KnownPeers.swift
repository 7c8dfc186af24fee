package import MigrationCore

/// The peers that the store knows, for those who must tell friend from stranger.
package struct KnownPeers: PeerDirectory {
    private let store: StateStore

    package init(in store: StateStore) { self.store = store }

    package func peer(named name: RemoteName) async throws -> PeerRecord {
        guard let peer = try store.peer(named: name) else {
            throw GodwitError(
                .notFound,
                "there is no remote \(name)",
                remedy: "add it with `godwit remote add`"
            )
        }
        return peer
    }

    /// Nil too where the peers cannot be read: then nobody is trusted.
    package func peer(withFingerprint fingerprint: String) async -> PeerRecord? {
        try? store.peer(withFingerprint: fingerprint)
    }
}
