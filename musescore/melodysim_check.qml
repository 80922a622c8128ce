import QtQuick 2.9
import QtQuick.Dialogs 1.2
import MuseScore 3.0
import FileIO 3.0

// Asks melodysim whether the open score follows a melody of the reference library, writes a line above
// the bars that do, and shows the verdict. Needs melodysim: see its docs/daw.md.
MuseScore {
    menuPath: "Plugins.melodysim.Check melody"
    description: "Say whether a mechanical licence is likely to be needed for the melody of this score."
    version: "0.1.0"
    requiresScore: true

    property string command: "melodysim"
    property real likely: 0.0001 // the rates of `melodysim check`
    property real review: 0.005

    QProcess { id: process }
    FileIO { id: settings; source: settings.homePath() + "/.melodysim-command" }
    FileIO { id: question }
    FileIO { id: answer }
    MessageDialog { id: dialog; title: "melodysim" }

    // In a window; in the log where there are none.
    function say(text) {
        console.log(text)
        if (Qt.platform.pluginName !== "offscreen") {
            dialog.text = text
            dialog.open()
        }
    }

    function quoted(path) {
        return '"' + path.replace(/"/g, '"""') + '"' // as QProcess reads a line
    }

    // Words of a score are marked up as HTML is.
    function plain(text) {
        return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
    }

    // Take the lines of an earlier check away.
    function clearMarks() {
        var old = []
        for (var segment = curScore.firstSegment(); segment; segment = segment.next)
            for (var k = 0; k < segment.annotations.length; k++) {
                var words = segment.annotations[k]
                if (words.type === Element.STAFF_TEXT && words.text.indexOf("melodysim ") === 0) old.push(words)
            }
        for (var j = 0; j < old.length; j++) removeElement(old[j])
    }

    // Write a line above the first note from a beat on; say which bar that is. Beats are counted as the
    // score is played, so that behind a repeat they are not those on the page.
    function mark(beat, text) {
        var cursor = curScore.newCursor()
        cursor.rewind(0)
        while (cursor.segment && cursor.tick < Math.round(beat * division)) cursor.next()
        if (!cursor.segment) return "in a repeat, which is not marked"
        var line = newElement(Element.STAFF_TEXT)
        line.text = plain(text)
        cursor.add(line)
        var number = 0
        for (var bar = curScore.firstMeasure; bar && bar.firstSegment.tick <= cursor.tick; bar = bar.nextMeasure)
            number++
        return "from bar " + number
    }

    onRun: {
        var named = settings.exists() ? settings.read().trim() : ""
        if (named) command = named
        // A name of its own, in a folder that others may write to as well.
        var path = settings.tempPath() + "/melodysim-" + Date.now() + "-" + Math.floor(Math.random() * 1e9)
        if (!writeScore(curScore, path, "musicxml")) return say("The score cannot be written to " + path)
        question.source = path + ".musicxml"
        answer.source = path + ".json"
        process.start(quoted(command) + " check " + quoted(question.source) + " --quiet --output "
            + quoted(answer.source))
        var finished = process.waitForFinished(600000)
        question.remove()
        if (!finished || !answer.exists()) {
            var why = process.readAllStandardOutput()
            return say("melodysim gave no answer" + (why ? ": " + why : "") + "\nIn a terminal, `which "
                + "melodysim` tells the path of its command: write it into " + settings.source)
        }
        var track = JSON.parse(answer.read()).tracks[0]
        answer.remove()
        var said = [track.verdict.toUpperCase()].concat(track.reasons || [])
        curScore.startCmd()
        clearMarks()
        for (var k = 0; k < (track.matches || []).length; k++) {
            var match = track.matches[k]
            var status = match.reference.rights.status
            if (match.e_value >= review) continue
            var level = status !== "in-copyright" && status !== "unknown" ? "free"
                : match.e_value < likely ? "likely" : "review"
            var words = "melodysim " + level + ": " + match.reference.title
            said.push(words + ", " + mark(match.query.beats[0], words))
        }
        curScore.endCmd()
        say(said.join("\n"))
        Qt.quit()
    }
}
