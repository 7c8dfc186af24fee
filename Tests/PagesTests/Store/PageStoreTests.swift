import MigrationCore
import Pages
import Testing

@Suite struct PageStoreTests {
    private let size = PageRun.pageSize

    @Test func `the store holds what a dictionary would`() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            let store = PageStore(limit: .mebibytes(64))
            var model = Model()
            for _ in 0..<60 { try step(store, &model, &generator) }
            for task in Self.tasks {
                for page in Self.pages {
                    let held = store.page(of: task, at: UInt64(page * size))
                    #expect(matches(held, model.pages[.init(task: task, page: page)]))
                    #expect(
                        store.contains(task, at: UInt64(page * size)) == (held != .nothing))
                }
            }
            let content = model.pages.filter { $0.value != 0 }
            #expect(store.bytes.bytes == UInt64(content.count * size))
            for (task, runs) in store.content() {
                let pages = runs.flatMap { run in
                    (0..<run.count).map { Int(run.address) / size + $0 }
                }
                #expect(pages == content.keys.filter { $0.task == task }.map(\.page).sorted())
            }
        }
    }

    @Test func `what does not fit is refused with a remedy and changes nothing`() throws {
        let store = PageStore(limit: ByteCount(bytes: UInt64(3 * size)))
        try keep(7, pages: 0..<2, of: TaskID(1), in: store)
        let error = #expect(throws: GodwitError.self) {
            try keep(8, pages: 1..<4, of: TaskID(1), in: store)
        }
        #expect(error?.code == .limitExceeded && error?.remedy != nil && error?.cause != nil)
        #expect(store.bytes.bytes == UInt64(2 * size))
        #expect(matches(store.page(of: TaskID(1), at: UInt64(size)), 7))
        #expect(store.page(of: TaskID(1), at: UInt64(2 * size)) == .nothing)
        // The same pages again, and zeros, need no room.
        try keep(9, pages: 0..<2, of: TaskID(1), in: store)
        try store.keepZeros(PageRun(address: UInt64(size), count: 1000), of: TaskID(1))
        #expect(store.bytes.bytes == UInt64(size))
        try keep(8, pages: 2000..<2002, of: TaskID(2), in: store)
    }

    @Test func `a page that was never kept cannot be repeated`() throws {
        let store = PageStore(limit: .mebibytes(1))
        try keep(5, pages: 3..<4, of: TaskID(1), in: store)
        try store.repeatPage(
            of: TaskID(1), at: UInt64(3 * size), for: TaskID(2), at: UInt64(700 * size))
        #expect(matches(store.page(of: TaskID(2), at: UInt64(700 * size)), 5))
        #expect(throws: GodwitError(.protocolViolation, "")) {
            try store.repeatPage(of: TaskID(1), at: 0, for: TaskID(2), at: 0)
        }
        try store.keepZeros(PageRun(address: 0, count: 1), of: TaskID(1))
        try store.repeatPage(of: TaskID(1), at: 0, for: TaskID(2), at: UInt64(700 * size))
        #expect(store.page(of: TaskID(2), at: UInt64(700 * size)) == .zeros)
    }

    @Test func `only the pages that are named are left`() throws {
        let store = PageStore(limit: .mebibytes(16))
        try keep(1, pages: 0..<600, of: TaskID(1), in: store)
        try keep(2, pages: 0..<10, of: TaskID(2), in: store)
        try store.keepZeros(PageRun(address: UInt64(600 * size), count: 4), of: TaskID(1))
        store.keepOnly([
            TaskID(1): [
                PageRun(address: UInt64(510 * size), count: 4),
                PageRun(address: UInt64(603 * size), count: 9),
            ]
        ])
        #expect(
            store.content() == [
                TaskID(1): [
                    PageRun(address: UInt64(510 * size), count: 2),
                    PageRun(address: UInt64(512 * size), count: 2),
                ]
            ])
        #expect(store.page(of: TaskID(1), at: UInt64(602 * size)) == .nothing)
        #expect(store.page(of: TaskID(1), at: UInt64(603 * size)) == .zeros)
        #expect(matches(store.page(of: TaskID(1), at: UInt64(513 * size)), 1))
        #expect(store.bytes.bytes == UInt64(4 * size))
        store.removeAll()
        #expect(store.bytes.bytes == 0 && store.content() == [:])
    }

    @Test func `many writers and readers never see a torn page`() async throws {
        let store = PageStore(limit: .mebibytes(64))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for round in 0..<40 {
                        let start = (writer * 37 + round * 61) % 1500
                        try keep(
                            UInt8(1 + (writer * 40 + round) % 250), pages: start..<start + 70,
                            of: TaskID(1), in: store)
                    }
                }
            }
            for reader in 0..<2 {
                group.addTask {
                    for page in 0..<3000 {
                        let at = UInt64((page * 7 + reader) % 1600 * PageRun.pageSize)
                        _ = store.page(of: TaskID(1), at: at)
                    }
                }
            }
            try await group.waitForAll()
        }
        var kept = 0
        for page in 0..<1600 {
            guard case .content(let bytes) = store.page(of: TaskID(1), at: UInt64(page * size))
            else { continue }
            kept += 1
            #expect(Set(bytes).count == 1, "page \(page) is of two writers")
        }
        #expect(store.bytes.bytes == UInt64(kept * size))
    }

    @Test func `half a page is a mistake of ours`() async {
        await #expect(processExitsWith: .failure) {
            let store = PageStore(limit: .mebibytes(1))
            try unsafe [UInt8](repeating: 0, count: 100).withUnsafeBytes {
                try unsafe store.keep($0, of: TaskID(1), at: 0)
            }
        }
    }

    private struct Model {
        struct Place: Hashable {
            let task: TaskID
            let page: Int
        }

        /// The byte that fills the page.
        var pages: [Place: UInt8] = [:]
    }

    private static let tasks = [TaskID(1), TaskID(2)]
    private static let pages = 0..<1600

    private func step(
        _ store: PageStore, _ model: inout Model, _ generator: inout SystemRandomNumberGenerator
    ) throws {
        let task = Self.tasks.randomElement(using: &generator) ?? TaskID(1)
        let low = Int.random(in: Self.pages, using: &generator)
        let range = low..<Int.random(in: low + 1...Self.pages.upperBound, using: &generator)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<5:
            let byte = UInt8.random(in: 1...255, using: &generator)
            try keep(byte, pages: range, of: task, in: store)
            for page in range { model.pages[.init(task: task, page: page)] = byte }
        case 5..<7:
            try store.keepZeros(PageRun(address: UInt64(low * size), count: range.count), of: task)
            for page in range { model.pages[.init(task: task, page: page)] = 0 }
        case 7..<9:
            let origin = Model.Place(task: Self.tasks[0], page: range.upperBound - 1)
            guard let byte = model.pages[origin] else { return }
            try store.repeatPage(
                of: origin.task, at: UInt64(origin.page * size), for: task,
                at: UInt64(low * size))
            model.pages[.init(task: task, page: low)] = byte
        default:
            let other = Self.tasks[0] == task ? Self.tasks[1] : Self.tasks[0]
            let run = PageRun(address: UInt64(low * size), count: range.count)
            let all = PageRun(address: 0, count: Self.pages.count)
            store.keepOnly([task: [run], other: [all]])
            model.pages = model.pages.filter { $0.key.task == other || range.contains($0.key.page) }
        }
    }
}

private func keep(
    _ byte: UInt8, pages: Range<Int>, of task: TaskID, in store: PageStore
) throws {
    let bytes = [UInt8](repeating: byte, count: pages.count * PageRun.pageSize)
    try unsafe bytes.withUnsafeBytes {
        try unsafe store.keep(
            $0, of: task, at: UInt64(pages.lowerBound * PageRun.pageSize))
    }
}

private func matches(_ held: PageStore.Held, _ byte: UInt8?) -> Bool {
    switch byte {
    case nil: held == .nothing
    case 0: held == .zeros
    case let byte?: held == .content([UInt8](repeating: byte, count: PageRun.pageSize))
    }
}
