import Foundation

/// A drawing of blackouts: one line for each way of moving, readable on light and dark ground.
package struct BenchPlot {
    /// The file's name.
    package let name: String
    let title: String
    let axis: String
    let lines: [Line]
    /// How far from the left a value stands, in a unit of its own.
    let place: @Sendable (Double) -> Double

    struct Line {
        let way: BenchWay
        /// Size or rate, and milliseconds.
        let points: [(x: Double, y: Double)]
    }

    private static let (left, right, top, bottom) = (64.0, 548.0, 44.0, 344.0)
    private static let (width, height) = (744.0, 396.0)

    private var values: [Double] { Set(lines.flatMap { $0.points.map(\.x) }).sorted() }
    private var blackouts: [Double] { lines.flatMap { $0.points.map(\.y) } }

    package var svg: String {
        let size = "width=\"\(whole(Self.width))\" height=\"\(whole(Self.height))\""
        let box = "viewBox=\"0 0 \(whole(Self.width)) \(whole(Self.height))\""
        return """
            <svg xmlns="http://www.w3.org/2000/svg" \(size) \(box) role="img">
            <title>\(title)</title>
            \(Self.style)
            <text class="title" x="\(number(Self.left))" y="22">\(title)</text>
            \((grid + ticks + curves + legend).joined(separator: "\n"))
            </svg>

            """
    }

    private static let style: String = {
        let light = BenchWay.allCases.map { rule($0, $0.colours.light) }
        let dark = BenchWay.allCases.map { rule($0, $0.colours.dark) }
        return """
            <style>
            text { font: 12px sans-serif; fill: #24292f }
            .title { font-weight: bold; font-size: 14px }
            .middle { text-anchor: middle } .end { text-anchor: end }
            .grid { stroke: #d0d7de; stroke-width: 1 }
            .line { fill: none; stroke-width: 1.8 } .own { stroke-width: 3 }
            .peer { stroke-dasharray: 6 4 }
            \(light.joined(separator: "\n"))
            @media (prefers-color-scheme: dark) {
            text { fill: #d1d7e0 } .grid { stroke: #3d444d }
            \(dark.joined(separator: "\n"))
            }
            </style>
            """
    }()

    private static func rule(_ way: BenchWay, _ colour: String) -> String {
        "path.\(way.rawValue) { stroke: \(colour) } circle.\(way.rawValue) { fill: \(colour) }"
    }

    /// The scale is logarithmic, from the round number below all to that above all.
    private var range: (low: Double, high: Double) {
        let marks = Self.marks
        let low = marks.last { $0 <= blackouts.min() ?? 100 } ?? 10
        return (low, marks.first { $0 >= blackouts.max() ?? 1000 } ?? 1_000_000)
    }

    private static let marks = (1...5).flatMap { power in
        [1.0, 2, 5].map { $0 * pow(10, Double(power)) }
    }

    private func across(_ value: Double) -> Double {
        let ends = (place(values.first ?? 0), place(values.last ?? 1))
        let share = ends.0 == ends.1 ? 0.5 : (place(value) - ends.0) / (ends.1 - ends.0)
        return Self.left + 20 + share * (Self.right - Self.left - 40)
    }

    private func down(_ milliseconds: Double) -> Double {
        let share = log(milliseconds / range.low) / log(range.high / range.low)
        return Self.bottom - share * (Self.bottom - Self.top)
    }

    private var grid: [String] {
        Self.marks.filter { $0 >= range.low && $0 <= range.high }.flatMap { mark in
            let y = number(down(mark))
            let ends = "x1=\"\(number(Self.left))\" x2=\"\(number(Self.right))\""
            return [
                "<line class=\"grid\" \(ends) y1=\"\(y)\" y2=\"\(y)\"/>",
                text(Self.left - 8, down(mark) + 4, whole(mark), "end"),
            ]
        } + [text(Self.left - 8, Self.top - 10, "ms", "end")]
    }

    private var ticks: [String] {
        values.flatMap { value in
            let x = number(across(value))
            let ends = "y1=\"\(number(Self.bottom))\" y2=\"\(number(Self.bottom + 5))\""
            return [
                "<line class=\"grid\" x1=\"\(x)\" x2=\"\(x)\" \(ends)/>",
                text(across(value), Self.bottom + 20, whole(value), "middle"),
            ]
        } + [text((Self.left + Self.right) / 2, Self.bottom + 42, axis, "middle")]
    }

    private var curves: [String] {
        lines.flatMap { line in
            let points = line.points.map { (across($0.x), down($0.y)) }
            let words = points.map { "\(number($0.0)) \(number($0.1))" }
            let path =
                "<path class=\"\(line.way.classes)\" d=\"M \(words.joined(separator: " L "))\"/>"
            return [path] + points.map { dot($0.0, $0.1, line.way) }
        }
    }

    /// The worst comes first, as the lines end on the right.
    private var legend: [String] {
        let sorted = lines.sorted { ($0.points.last?.y ?? 0) > ($1.points.last?.y ?? 0) }
        return sorted.enumerated().flatMap { index, line in
            let (x, y) = (Self.right + 22, Self.top + 14 + 22 * Double(index))
            let path = "M \(number(x)) \(number(y)) L \(number(x + 30)) \(number(y))"
            return [
                "<path class=\"\(line.way.classes)\" d=\"\(path)\"/>",
                dot(x + 15, y, line.way),
                text(x + 38, y + 4, line.way.title, nil),
            ]
        }
    }

    private func dot(_ x: Double, _ y: Double, _ way: BenchWay) -> String {
        let radius = way == .godwit ? "4" : "3"
        return "<circle class=\"\(way.rawValue)\" cx=\"\(number(x))\" cy=\"\(number(y))\""
            + " r=\"\(radius)\"/>"
    }

    private func text(_ x: Double, _ y: Double, _ words: String, _ anchor: String?) -> String {
        let kind = anchor.map { " class=\"\($0)\"" } ?? ""
        return "<text\(kind) x=\"\(number(x))\" y=\"\(number(y))\">\(words)</text>"
    }
}

private func number(_ value: Double) -> String { String(format: "%.1f", value) }

extension BenchWay {
    fileprivate var classes: String {
        "line \(rawValue)" + (self == .godwit ? " own" : "") + (isPeer ? " peer" : "")
    }

    /// Told apart by people who do not see red or green, too; other systems are dashed.
    fileprivate var colours: (light: String, dark: String) {
        switch self {
        case .godwit: ("#0550ae", "#6cb6ff")
        case .noHold: ("#1b7c83", "#39c5cf")
        case .stopAndCopy: ("#6e7781", "#9ea7b3")
        case .postCopy: ("#cf222e", "#ff938a")
        case .hybrid: ("#a475f9", "#b392f0")
        case .pageServer: ("#953800", "#f69d50")
        case .runcTar: ("#8250df", "#dcbdfb")
        case .lxc: ("#4d7f17", "#8ddb8c")
        case .podman: ("#bf3989", "#f47067")
        case .incus: ("#9a6700", "#eac54f")
        }
    }
}

extension BenchReport {
    /// Over the size at the middle rate, and over the rate at the size nearest to 256 MiB.
    package var plots: [BenchPlot] {
        let rates = Set(rows.map(\.rate)).sorted()
        let sizes = Set(rows.map(\.mebibytes)).sorted()
        guard let rate = rates.isEmpty ? nil : rates[rates.count / 2],
            let size = nearest(256, of: sizes)
        else { return [] }
        return [
            BenchPlot(
                name: "blackout-by-size.svg",
                title: "What a client waits while memory moves, \(whole(Double(rate))) pages/s",
                axis: "MiB of memory",
                lines: lines(rows.filter { $0.rate == rate }) { Double($0.mebibytes) },
                place: { log($0) }),
            BenchPlot(
                name: "blackout-by-rate.svg",
                title: "What a client waits while memory moves, \(whole(Double(size))) MiB",
                axis: "pages written a second",
                lines: lines(rows.filter { $0.mebibytes == size }) { Double($0.rate) },
                place: { log(1 + $0 / 1000) }),
        ]
    }

    private func lines(_ rows: [BenchRow], x: (BenchRow) -> Double) -> [BenchPlot.Line] {
        BenchWay.allCases.compactMap { way in
            let points = rows.filter { $0.system == way && $0.blackoutMilliseconds > 0 }
                .map { (x: x($0), y: $0.blackoutMilliseconds) }
            return points.isEmpty
                ? nil : BenchPlot.Line(way: way, points: points.sorted { $0.x < $1.x })
        }
    }
}
