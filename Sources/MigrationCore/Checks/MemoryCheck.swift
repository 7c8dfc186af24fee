/// A checkpoint is held in memory while it travels: once on the source, and on the target twice for
/// the moment in which the restored processes take their pages out of it. Memory that travels page
/// by page is not held on the source, and the target's store gives back what it has placed.
struct MemoryCheck: Check {
    let name = "memory"

    static let margin = ByteCount.mebibytes(64)

    func findings(in comparison: Comparison) -> [Finding] {
        let held = comparison.instance.memory
        guard comparison.isLive else {
            return short(of: held, .warning, comparison.target, "to run the instance")
        }
        let division =
            comparison.instance.division ?? MemoryDivision(pages: .zero, images: held)
        let source = division.images + Self.margin
        // The store's blocks are not all full, and go only as a whole: an eighth (docs/checks.md).
        let pages = division.pages + ByteCount(bytes: division.pages.bytes / 8)
        let target = pages + division.images + division.images + Self.margin
        return short(of: target, .refusal, comparison.target, "to receive and restore it")
            + (comparison.source.memoryAvailable < source
                ? [finding(.source, source, comparison.source, .refusal, "to hold its checkpoint")]
                : [])
    }

    private func short(
        of needed: ByteCount, _ weight: Finding.Weight, _ target: HostFacts, _ purpose: String
    ) -> [Finding] {
        guard target.memoryAvailable < needed else { return [] }
        return [finding(.target, needed, target, weight, purpose)]
    }

    private func finding(
        _ place: Place, _ needed: ByteCount, _ host: HostFacts, _ weight: Finding.Weight,
        _ purpose: String
    ) -> Finding {
        Finding(
            name,
            weight,
            cause: "\(place.text) has \(sized(host.memoryAvailable)) of memory available and needs "
                + "\(sized(needed)) \(purpose)",
            cure: "free memory on that host, or choose another target"
        )
    }
}
