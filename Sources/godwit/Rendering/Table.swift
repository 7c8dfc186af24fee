/// Rows under a head, each column as wide as its widest cell.
///
/// - Parameter empty: what stands there instead when there is no row.
package func table(_ head: [String], _ rows: [[String]], empty: String) -> String {
    guard !rows.isEmpty else { return empty }
    precondition(rows.allSatisfy { $0.count == head.count })
    let all = [head] + rows.map { $0.map { $0.isEmpty ? "-" : $0 } }
    let widths = head.indices.map { column in all.map { displayWidth($0[column]) }.max() ?? 0 }
    return all.map { row in line(row, widths) }.joined(separator: "\n")
}

private func line(_ cells: [String], _ widths: [Int]) -> String {
    var text = ""
    for (cell, width) in zip(cells.dropLast(), widths) {
        text += cell + String(repeating: " ", count: width - displayWidth(cell) + 2)
    }
    return text + (cells.last ?? "")
}

/// `Name:  value` lines with the values below one another.
package func pairs(_ pairs: [(String, String)]) -> String {
    let width = pairs.map { displayWidth($0.0) }.max() ?? 0
    return pairs.map { name, value in
        "\(name):" + String(repeating: " ", count: width - displayWidth(name) + 2) + value
    }.joined(separator: "\n")
}

/// How many columns a terminal gives the text: wide East Asian characters and emoji take two, marks
/// that combine with the character before them none.
package func displayWidth(_ text: String) -> Int { text.reduce(0) { $0 + width(of: $1) } }

private func width(of character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    if character.isASCII { return 1 }
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    if first.properties.isEmojiPresentation { return 2 }
    return wideRanges.contains { $0.contains(first.value) } ? 2 : 1
}

/// Unicode's East Asian Width W and F, in blocks.
private let wideRanges: [ClosedRange<UInt32>] = [
    0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff,
    0xa000...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
    0xffe0...0xffe6, 0x20000...0x3fffd,
]
