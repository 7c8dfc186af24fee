extension IDMap {
    /// The host ids; empty if a peer says what no ids are.
    var ids: Range<UInt32> {
        let (end, overflow) = hostStart.addingReportingOverflow(count)
        return overflow ? hostStart..<hostStart : hostStart..<end
    }

    /// Whether these are any ids at all, below the last number, which is none.
    package var isPossible: Bool { !ids.isEmpty }

    /// The host ids of an instance where these are given away: its own if they are among them,
    /// else as many from the first one on.
    ///
    /// - Returns: nil if there are too few.
    package func place(for map: IDMap) -> IDMap? {
        let (own, wanted) = (ids, map.ids)
        guard !wanted.isEmpty, own.count >= wanted.count else { return nil }
        let isAmong = own.lowerBound <= wanted.lowerBound && wanted.upperBound <= own.upperBound
        return isAmong ? map : IDMap(hostStart: hostStart, count: map.count)
    }

    /// For people: `1000000 to 1065535`.
    package var text: String {
        let ids = ids
        return ids.isEmpty ? "(none)" : "\(ids.lowerBound) to \(ids.upperBound - 1)"
    }
}

/// The host ids of one instance on two hosts: what is owned by those of the source is to be owned
/// by those of the target.
///
/// The two ranges change places, all other ids stay: no two owners become one, also where the
/// ranges overlap, and what was nobody's of the instance does not become somebody's.
package struct IDChange: Hashable, Sendable {
    package let source: IDMap
    package let target: IDMap

    /// Nil if nothing changes.
    ///
    /// - Precondition: ranges of the same size.
    package init?(from source: IDMap?, to target: IDMap?) {
        guard let source, let target, source != target else { return nil }
        precondition(
            !source.ids.isEmpty && source.ids.count == target.ids.count,
            "an instance has as many ids everywhere")
        self.source = source
        self.target = target
    }

    /// What the id of the source is on the target.
    package func onTarget(_ id: UInt32) -> UInt32 {
        if source.ids.contains(id) { return target.hostStart + (id - source.hostStart) }
        let rests = rests
        guard rests.target.contains(id) else { return id }
        return rests.source.lowerBound + (id - rests.target.lowerBound)
    }

    /// Ids in a row on both hosts.
    package struct Extent: Hashable, Sendable {
        package let target: UInt32
        package let source: UInt32
        package let count: UInt32
    }

    /// All ids that there are, in at most five extents.
    package var extents: [Extent] {
        let rests = rests
        var extents = [(target.ids, source.ids), (rests.source, rests.target)]
        var end: UInt32 = 0
        for range in [source.ids, target.ids].sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if end < range.lowerBound {
                extents.append((end..<range.lowerBound, end..<range.lowerBound))
            }
            end = max(end, range.upperBound)
        }
        // 4294967295 is no id.
        extents.append((end..<UInt32.max, end..<UInt32.max))
        return extents.filter { !$0.0.isEmpty }.map {
            Extent(
                target: $0.0.lowerBound, source: $0.1.lowerBound, count: UInt32($0.0.count))
        }
    }

    /// What is in the range of one of them alone.
    private var rests: (source: Range<UInt32>, target: Range<UInt32>) {
        let (one, other) = (source.ids, target.ids)
        guard one.overlaps(other) else { return (one, other) }
        return one.lowerBound < other.lowerBound
            ? (one.lowerBound..<other.lowerBound, one.upperBound..<other.upperBound)
            : (other.upperBound..<one.upperBound, other.lowerBound..<one.lowerBound)
    }
}

/// Volumes whose files may arrive under other host ids than they have on the source.
package protocol VolumeIDChanging: VolumeReceiving {
    /// From now on what is received into the volume comes with the source's ids, and digests of it
    /// are as on the source.
    func expectIDs(_ change: IDChange, in volume: String) async throws
    /// Returns when every file has the target's ids; digests have them from now on.
    func settleIDs(of volume: String) async throws
}

extension VolumeMethod {
    /// Whether ids travel so that they can be changed on arrival.
    var changesIDs: Bool { self == .rsync }
}

extension Capabilities.Feature {
    /// Files may arrive under other host ids. The target alone has to know it.
    package static let idMaps = Self("id-maps")
}
