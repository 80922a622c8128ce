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
        return '"' + path.replace(/"/g, '\\"') + '"'
    }

    // Write a line above the first note from a beat on; return the number of its bar, from 1.
    function mark(beat, text) {
        var cursor = curScore.newCursor()
        cursor.rewind(0)
        while (cursor.segment && cursor.tick < Math.round(beat * division)) cursor.next()
        if (!cursor.segment) return 0
        var line = newElement(Element.STAFF_TEXT)
        line.text = text
        cursor.add(line)
        var number = 0
        for (var bar = curScore.firstMeasure; bar && bar.firstSegment.tick <= cursor.tick; bar = bar.nextMeasure)
            number++
        return number
    }

    onRun: {
        var named = settings.exists() ? settings.read().trim() : ""
        if (named) command = named
        var path = settings.tempPath() + "/melodysim-score"
        if (!writeScore(curScore, path, "musicxml")) return say("The score cannot be written to " + path)
        answer.source = path + ".json"
        if (answer.exists()) answer.remove()
        process.start(quoted(command) + " check " + quoted(path + ".musicxml") + " --quiet --output "
            + quoted(answer.source))
        if (!process.waitForFinished(600000) || !answer.exists()) {
            var why = process.readAllStandardOutput()
            return say("melodysim gave no answer" + (why ? ": " + why : "") + "\nIn a terminal, `which "
                + "melodysim` tells the path of its command: write it into " + settings.source)
        }
        var track = JSON.parse(answer.read()).tracks[0]
        answer.remove()
        var said = [track.verdict.toUpperCase()].concat(track.reasons || [])
        curScore.startCmd()
        for (var k = 0; k < (track.matches || []).length; k++) {
            var match = track.matches[k]
            var status = match.reference.rights.status
            if (match.e_value >= review) continue
            var level = status !== "in-copyright" && status !== "unknown" ? "free"
                : match.e_value < likely ? "likely" : "review"
            var words = "melodysim " + level + ": " + match.reference.title
            said.push(words + ", from bar " + mark(match.query.beats[0], words))
        }
        curScore.endCmd()
        say(said.join("\n"))
        Qt.quit()
    }
}
