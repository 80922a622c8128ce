/* The compiled kernels as a Python module, `melodysim.kernels._native`: arrays in, arrays filled.
 *
 * Only what the stable ABI has, so that one build serves every Python from 3.11 on. The callers, in
 * `melodysim.align` and `melodysim.transcribe`, give arrays of the right type, in C order; sizes are
 * checked here, because a wrong one would read foreign memory.
 */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include "native.h"

#define MOST 16

/* Buffers that are open, to be given back all at once. */
typedef struct { Py_buffer view[MOST]; int count; } Views;

static void give_back(Views *views)
{
    while (views->count > 0)
        PyBuffer_Release(&views->view[--views->count]);
}

/* Open an array of `size`-byte entries; NULL, with an exception, where it is none. */
static void *open_array(Views *views, PyObject *object, Py_ssize_t size, int writable, Py_ssize_t *entries)
{
    Py_buffer *view = &views->view[views->count];
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0)) < 0)
        return NULL;
    views->count++;
    if (view->itemsize != size) {
        PyErr_Format(PyExc_TypeError, "entries of %zd bytes expected, not of %zd", size, view->itemsize);
        return NULL;
    }
    *entries = view->len / size;
    return view->buf;
}

static PyObject *finish(Views *views, int status)
{
    give_back(views);
    if (status == -2)
        return PyErr_NoMemory();
    if (status < 0) {
        PyErr_SetString(PyExc_ValueError, "no instruction set of this processor serves so many lanes");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *refuse(Views *views, const char *why)
{
    give_back(views);
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, why);
    return NULL;
}

#define OPEN(index, type, writable, entries) \
    ((type *)open_array(views, objects[index], sizeof(type), writable, &entries))

static const char INSTRUCTION_SET_DOC[] =
    "instruction_set(name=None) -> str or None\n\n"
    "The fastest instruction set of this processor that `scan` knows, or the one of that name.";

static PyObject *py_instruction_set(PyObject *self, PyObject *args)
{
    const char *name = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "|z", &name))
        return NULL;
    const char *found = scan_set(name);
    if (!found)
        Py_RETURN_NONE;
    return PyUnicode_FromString(found);
}

static const char SCAN_DOC[] =
    "scan(pair, pair_interval, pair_ratio, interval_table, ratio_table, step, step2, interval, ratio,\n"
    "     begin, blocks, best, lanes, costs, instruction_set=None)\n\n"
    "First pass over blocks of references side by side; fills `best`. `costs` are of a gap's opening\n"
    "and extension and of a move, and the symbols of padding and of no interval.";

static PyObject *py_scan(PyObject *self, PyObject *args)
{
    PyObject *objects[12];
    Py_ssize_t n[12], lanes;
    Query query;
    const char *name = NULL;
    Views opened = {.count = 0}, *views = &opened;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOOOOOOOOn(iiiii)|z", &objects[0], &objects[1], &objects[2],
                          &objects[3], &objects[4], &objects[5], &objects[6], &objects[7], &objects[8],
                          &objects[9], &objects[10], &objects[11], &lanes, &query.gap_open,
                          &query.gap_extend, &query.moved, &query.padding, &query.middle, &name))
        return NULL;
    if (!(query.pair = OPEN(0, uint16_t, 0, n[0])) || !(query.pair_interval = OPEN(1, uint16_t, 0, n[1])) ||
        !(query.pair_ratio = OPEN(2, uint16_t, 0, n[2])) ||
        !(query.interval_table = OPEN(3, uint8_t, 0, n[3])) ||
        !(query.ratio_table = OPEN(4, uint8_t, 0, n[4])) || !(query.step = OPEN(5, int8_t, 0, n[5])) ||
        !(query.step2 = OPEN(6, int8_t, 0, n[6])))
        return refuse(views, "");
    const uint8_t *interval = OPEN(7, uint8_t, 0, n[7]);
    const uint8_t *ratio = interval ? OPEN(8, uint8_t, 0, n[8]) : NULL;
    const int64_t *begin = ratio ? OPEN(9, int64_t, 0, n[9]) : NULL;
    const int64_t *blocks = begin ? OPEN(10, int64_t, 0, n[10]) : NULL;
    uint8_t *best = blocks ? OPEN(11, uint8_t, 1, n[11]) : NULL;
    if (!best)
        return refuse(views, "");
    query.notes = n[0], query.pairs = n[1], query.intervals = n[3] / 64, query.ratios = n[4] / 64;
    if (n[5] != n[0] || n[6] != n[0] || n[2] != n[1] || n[7] != n[8] || lanes <= 0 ||
        n[11] != n[10] * lanes)
        return refuse(views, "arrays do not go together");
    for (Py_ssize_t k = 0; k < n[0]; k++)
        if (query.pair[k] >= n[1])
            return refuse(views, "a pair is not in the table");
    for (Py_ssize_t k = 0; k < n[1]; k++)
        if (query.pair_interval[k] >= query.intervals || query.pair_ratio[k] >= query.ratios)
            return refuse(views, "a pair is of symbols that are not in the tables");
    for (Py_ssize_t k = 0; k < n[10]; k++)
        if (blocks[k] < 0 || blocks[k] + 1 >= n[9] || begin[blocks[k]] < 0 ||
            begin[blocks[k] + 1] < begin[blocks[k]] || begin[blocks[k] + 1] > n[7] / lanes)
            return refuse(views, "a block is outside the references");
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = scan_blocks(&query, name, interval, ratio, lanes, begin, blocks, n[10], best);
    Py_END_ALLOW_THREADS
    return finish(views, status);
}

/* Open what both ways of aligning notes take: the first twelve objects. */
static const char *open_pair(Views *views, PyObject **objects, Pair *pair)
{
    Py_ssize_t n[12];
    const char *wrong = NULL;
    if (!(pair->query = OPEN(0, int16_t, 0, n[0])) || !(pair->query_gap = OPEN(1, float, 0, n[1])) ||
        !(pair->query_bits = OPEN(2, float, 0, n[2])) || !(pair->query_fresh = OPEN(3, float, 0, n[3])) ||
        !(pair->pitch = OPEN(4, int16_t, 0, n[4])) || !(pair->gap = OPEN(5, float, 0, n[5])) ||
        !(pair->surprisal = OPEN(6, float, 0, n[6])) || !(pair->timing = OPEN(7, float, 0, n[7])) ||
        !(pair->fresh = OPEN(8, float, 0, n[8])) || !(pair->displacement = OPEN(9, float, 0, n[9])) ||
        !(pair->moves = OPEN(10, float, 0, n[10])) || !(pair->costs = OPEN(11, float, 0, n[11])))
        wrong = "";
    else if (n[1] != 4 * n[0] || n[2] != n[0] || n[3] != n[0] || n[5] != 4 * n[4] || n[6] != n[4] ||
             n[7] != n[4] || n[8] != n[4] || n[9] != 4 * 73 || n[10] != 16 || n[11] != 9)
        wrong = "arrays do not go together";
    if (wrong)
        return wrong;
    pair->notes = n[0], pair->total = n[4];
    return NULL;
}

static const char ALIGN_SCORES_DOC[] =
    "align_scores(query, query_gap, query_bits, query_fresh, pitch, gap, surprisal, timing, fresh,\n"
    "             displacement, moves, costs, start, melodies, out)\n\n"
    "Second pass: the score of the best passage in each of some references; fills `out`.";

static PyObject *py_align_scores(PyObject *self, PyObject *args)
{
    PyObject *objects[15];
    Py_ssize_t n[15];
    Pair pair;
    Views opened = {.count = 0}, *views = &opened;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOOOOOOOOOOO", &objects[0], &objects[1], &objects[2], &objects[3],
                          &objects[4], &objects[5], &objects[6], &objects[7], &objects[8], &objects[9],
                          &objects[10], &objects[11], &objects[12], &objects[13], &objects[14]))
        return NULL;
    const char *wrong = open_pair(views, objects, &pair);
    if (wrong)
        return refuse(views, wrong);
    const int64_t *start = OPEN(12, int64_t, 0, n[12]);
    const int64_t *melodies = start ? OPEN(13, int64_t, 0, n[13]) : NULL;
    float *out = melodies ? OPEN(14, float, 1, n[14]) : NULL;
    if (!out)
        return refuse(views, "");
    if (n[14] != n[13])
        return refuse(views, "arrays do not go together");
    for (Py_ssize_t k = 0; k < n[13]; k++)
        if (melodies[k] < 0 || melodies[k] + 1 >= n[12] || start[melodies[k]] < 0 ||
            start[melodies[k] + 1] < start[melodies[k]] || start[melodies[k] + 1] > pair.total)
            return refuse(views, "a melody is outside the references");
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = align_many(&pair, start, melodies, n[13], out);
    Py_END_ALLOW_THREADS
    return finish(views, status);
}

static const char ALIGN_PATH_DOC[] =
    "align_path(query, query_gap, query_bits, query_fresh, pitch, gap, surprisal, timing, fresh,\n"
    "           displacement, moves, costs, low, high, move) -> (score, note of the query, note of the reference)\n\n"
    "Second pass against the reference at low:high; fills `move` [notes, high - low].";

static PyObject *py_align_path(PyObject *self, PyObject *args)
{
    PyObject *objects[13];
    Py_ssize_t low, high, moves;
    Pair pair;
    Views opened = {.count = 0}, *views = &opened;
    double best = 0;
    int64_t end[2] = {0, 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOOOOOOOOnnO", &objects[0], &objects[1], &objects[2], &objects[3],
                          &objects[4], &objects[5], &objects[6], &objects[7], &objects[8], &objects[9],
                          &objects[10], &objects[11], &low, &high, &objects[12]))
        return NULL;
    const char *wrong = open_pair(views, objects, &pair);
    if (wrong)
        return refuse(views, wrong);
    int8_t *move = OPEN(12, int8_t, 1, moves);
    if (!move)
        return refuse(views, "");
    if (low < 0 || high < low || high > pair.total || moves != pair.notes * (high - low))
        return refuse(views, "the melody is outside the references");
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = align_one(&pair, low, high, move, &best, end);
    Py_END_ALLOW_THREADS
    PyObject *nothing = finish(views, status);
    if (!nothing)
        return NULL;
    Py_DECREF(nothing);
    return Py_BuildValue("dLL", best, (long long)end[0], (long long)end[1]);
}

static const char LISTEN_MANY_DOC[] =
    "listen_many(block, entry, pad, columns, column, lanes, row, gap, start, melodies, median, tempi, cap,\n"
    "            longer, rules, out, instruction_set=None)\n\n"
    "Score of the best passage of each of some references in a block of a recording, and its tempo;\n"
    "fills `out` [melodies, 2]. `rules` are the shortest and longest share of a note's length, and the\n"
    "costs of passing over a note and of an unusual length.";

/* Listening in both ways: `out` holds `each` numbers a melody; `tempi` are a grid, or one a melody. */
static PyObject *listening(PyObject *args, int each)
{
    PyObject *objects[11];
    Py_ssize_t n[11], pad, columns, lanes;
    short skip, unusual;
    const char *name = NULL;
    Recording heard;
    Views opened = {.count = 0}, *views = &opened;
    if (!PyArg_ParseTuple(args, "OOnnOnOOOOOOdO(ddhh)O|z", &objects[0], &objects[1], &pad, &columns,
                          &objects[10], &lanes, &objects[2], &objects[3], &objects[4], &objects[5],
                          &objects[6], &objects[7], &heard.cap, &objects[8], &heard.shortest,
                          &heard.longest, &skip, &unusual, &objects[9], &name))
        return NULL;
    heard.block = OPEN(0, int16_t, 0, n[0]);
    heard.entry = heard.block ? OPEN(1, int16_t, 0, n[1]) : NULL;
    const int16_t *row = heard.entry ? OPEN(2, int16_t, 0, n[2]) : NULL;
    const double *gap = row ? OPEN(3, double, 0, n[3]) : NULL;
    const int64_t *start = gap ? OPEN(4, int64_t, 0, n[4]) : NULL;
    const int64_t *melodies = start ? OPEN(5, int64_t, 0, n[5]) : NULL;
    const double *median = melodies ? OPEN(6, double, 0, n[6]) : NULL;
    const double *tempi = median ? OPEN(7, double, 0, n[7]) : NULL;
    heard.longer = tempi ? OPEN(8, double, 0, n[8]) : NULL;
    heard.column = heard.longer ? OPEN(10, int16_t, 0, n[10]) : NULL;
    int32_t *out = heard.column ? OPEN(9, int32_t, 1, n[9]) : NULL;
    if (!out)
        return refuse(views, "");
    heard.skip = skip, heard.unusual = unusual;
    heard.pad = pad, heard.columns = columns, heard.lanes = lanes, heard.levels = n[8] + 1;
    if (columns <= 0 || lanes <= 0 || pad < 0 || n[0] != n[1] || n[0] % (columns * heard.levels) ||
        n[10] % lanes || n[2] != n[3] || n[9] != each * n[5] || n[6] + 1 != n[4] ||
        (each == 1 && n[7] != n[5]))
        return refuse(views, "arrays do not go together");
    heard.width = n[0] / (columns * heard.levels), heard.rows = n[10] / lanes;
    /* The longest look back in time has to stay inside the array. */
    if (heard.width < pad || heard.cap * heard.longest + 1 > pad || heard.cap + 1 > pad ||
        heard.shortest > heard.longest || heard.cap < 0)
        return refuse(views, "notes are longer than the block allows");
    for (Py_ssize_t k = 0; k < n[10]; k++)
        if (heard.column[k] < 0 || heard.column[k] >= columns)
            return refuse(views, "a row has no column");
    for (Py_ssize_t k = 0; k < n[2]; k++)
        if (row[k] < 0 || row[k] >= heard.rows || !(gap[k] >= 0))
            return refuse(views, "a note is in no row, or of no length");
    for (Py_ssize_t k = 0; k < n[5]; k++)
        if (melodies[k] < 0 || melodies[k] + 1 >= n[4] || start[melodies[k]] < 0 ||
            start[melodies[k] + 1] < start[melodies[k]] || start[melodies[k] + 1] > n[2] ||
            !(median[melodies[k]] > 0))
            return refuse(views, "a melody is outside the references, or of no length");
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = each == 2 ? listen_many(&heard, name, row, gap, start, melodies, n[5], median, tempi, n[7], out)
                       : transpositions(&heard, name, row, gap, start, melodies, n[5], median, tempi, out);
    Py_END_ALLOW_THREADS
    return finish(views, status);
}

static PyObject *py_listen_many(PyObject *self, PyObject *args)
{
    (void)self;
    return listening(args, 2);
}

static const char TRANSPOSITIONS_DOC[] =
    "transpositions(block, entry, pad, columns, column, lanes, row, gap, start, melodies, median, tempi,\n"
    "               cap, longer, rules, out, instruction_set=None)\n\n"
    "Lane of the best passage of each of some references, each at a tempo of its own; fills `out`.";

static PyObject *py_transpositions(PyObject *self, PyObject *args)
{
    (void)self;
    return listening(args, 1);
}

static const char FIRST_LOOK_DOC[] =
    "first_look(heard, lengths, length, tempi, rules, symbol, start, low, high, out, instruction_set=None)\n\n"
    "Score, roughly, of the references low to high in a block of a recording; raises `out` [high - low]\n"
    "where it is higher. `rules` are the bias of `heard` and the cost of passing over a note.";

static PyObject *py_first_look(PyObject *self, PyObject *args)
{
    PyObject *objects[5];
    Py_ssize_t n[5], lengths, tempi, low, high;
    const char *name = NULL;
    Glimpse glimpse;
    Views opened = {.count = 0}, *views = &opened;
    (void)self;
    if (!PyArg_ParseTuple(args, "OnOn(ii)OOnnO|z", &objects[0], &lengths, &objects[1], &tempi,
                          &glimpse.bias, &glimpse.skip, &objects[2], &objects[3], &low, &high,
                          &objects[4], &name))
        return NULL;
    glimpse.heard = OPEN(0, uint8_t, 0, n[0]);
    glimpse.length = glimpse.heard ? OPEN(1, uint8_t, 0, n[1]) : NULL;
    const uint8_t *symbol = glimpse.length ? OPEN(2, uint8_t, 0, n[2]) : NULL;
    const int64_t *start = symbol ? OPEN(3, int64_t, 0, n[3]) : NULL;
    uint8_t *out = start ? OPEN(4, uint8_t, 1, n[4]) : NULL;
    if (!out)
        return refuse(views, "");
    if (lengths <= 0 || tempi <= 0 || n[0] % (24 * lengths) || n[1] % (3 * tempi) || low < 0 ||
        high < low || high >= n[3] || n[4] != high - low || glimpse.bias < 0 || glimpse.bias > 255 ||
        glimpse.skip < 0 || glimpse.skip > 255)
        return refuse(views, "arrays do not go together");
    glimpse.lengths = lengths, glimpse.width = n[0] / (24 * lengths);
    glimpse.tempi = tempi, glimpse.codes = n[1] / (3 * tempi);
    if (glimpse.width % 64)
        return refuse(views, "the block has to be a multiple of 64 long");
    for (Py_ssize_t k = 0; k < n[1]; k++)
        if (glimpse.length[k] < 1 || glimpse.length[k] > lengths)
            return refuse(views, "notes are longer than the block allows");
    for (Py_ssize_t m = low; m < high; m++)
        if (start[m] < 0 || start[m + 1] < start[m] || start[m + 1] > n[2])
            return refuse(views, "a melody is outside the references");
    for (Py_ssize_t j = low < high ? start[low] : 0; low < high && j < start[high]; j++)
        if (symbol[j] >= 12 * glimpse.codes)
            return refuse(views, "a note has no length");
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = first_look(&glimpse, name, symbol, start, low, high, out);
    Py_END_ALLOW_THREADS
    return finish(views, status);
}

static const char PITCH_PATH_DOC[] =
    "pitch_path(emission, costs, path)\n\n"
    "Best path through emission [frames, bins] and silence, -1; fills `path` [frames]. `costs` are of gliding\n"
    "by a bin, of a jump, of one by an octave, of beginning to sing and of stopping, and the bins of an octave.";

static PyObject *py_pitch_path(PyObject *self, PyObject *args)
{
    PyObject *objects[2];
    Py_ssize_t n[2], octave_bins;
    PathCosts costs;
    Views opened = {.count = 0}, *views = &opened;
    (void)self;
    if (!PyArg_ParseTuple(args, "O(dddddn)O", &objects[0], &costs.glide, &costs.jump, &costs.octave,
                          &costs.voice, &costs.unvoice, &octave_bins, &objects[1]))
        return NULL;
    const float *emission = OPEN(0, float, 0, n[0]);
    int16_t *path = emission ? OPEN(1, int16_t, 1, n[1]) : NULL;
    if (!path)
        return refuse(views, "");
    costs.octave_bins = octave_bins;
    if (n[1] == 0 || n[0] % n[1] || n[0] == 0 || n[0] / n[1] >= INT16_MAX || octave_bins < 0)
        return refuse(views, "arrays do not go together");
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pitch_path(emission, n[1], n[0] / n[1], &costs, path);
    Py_END_ALLOW_THREADS
    return finish(views, status);
}

static PyMethodDef METHODS[] = {
    {"instruction_set", py_instruction_set, METH_VARARGS, INSTRUCTION_SET_DOC},
    {"scan", py_scan, METH_VARARGS, SCAN_DOC},
    {"align_scores", py_align_scores, METH_VARARGS, ALIGN_SCORES_DOC},
    {"listen_many", py_listen_many, METH_VARARGS, LISTEN_MANY_DOC},
    {"transpositions", py_transpositions, METH_VARARGS, TRANSPOSITIONS_DOC},
    {"first_look", py_first_look, METH_VARARGS, FIRST_LOOK_DOC},
    {"align_path", py_align_path, METH_VARARGS, ALIGN_PATH_DOC},
    {"pitch_path", py_pitch_path, METH_VARARGS, PITCH_PATH_DOC},
    {NULL, NULL, 0, NULL},
};

/* Nothing to set up: the module has no state, so it may be loaded as often as a host likes. */
static PyModuleDef_Slot SLOTS[] = {{0, NULL}};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_native", "Compiled kernels of melodysim.", 0, METHODS, SLOTS,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&MODULE); }
