/// Words joined with commas, cut after eight: the other host can send any number of them.
package func listed(_ words: some Collection<String>) -> String {
    let shown = words.sorted().prefix(8).map { String($0.prefix(120)) }.joined(separator: ", ")
    return words.count > 8 ? "\(shown) and \(words.count - 8) more" : shown
}

/// A size for people: whole bytes, else one decimal of the largest fitting binary unit.
package func sized(_ count: ByteCount) -> String {
    let units: [(shift: UInt64, name: String)] = [
        (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"),
    ]
    guard let unit = units.first(where: { count.bytes >> $0.shift > 0 }) else {
        return "\(count.bytes) bytes"
    }
    let whole = count.bytes >> unit.shift
    let tenth = ((((count.bytes - (whole << unit.shift)) >> (unit.shift - 10)) * 10) >> 10)
    precondition(tenth < 10)
    return tenth == 0 ? "\(whole) \(unit.name)" : "\(whole).\(tenth) \(unit.name)"
}
