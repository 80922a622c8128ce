/* A host that embeds Python, as DAWs do: runs a script, finalises Python, and runs the script again.
 *
 *   embedding PYTHON_PATH SCRIPT TIMES
 */

#include <Python.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        return 64;
    setenv("PYTHONPATH", argv[1], 1);
    for (int k = 0; k < atoi(argv[3]); k++) {
        Py_Initialize();
        FILE *script = fopen(argv[2], "r");
        if (!script)
            return 65;
        int failed = PyRun_SimpleFile(script, argv[2]);
        fclose(script);
        if (failed)
            return 66;
        if (Py_FinalizeEx() < 0)
            return 67;
    }
    return 0;
}
