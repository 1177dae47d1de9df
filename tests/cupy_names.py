"""What of NumPy CuPy 14 has, and what it has not, for the stand-in."""

ABSENT_FUNCTIONS = """
    asmatrix block bmat einsum_path emath errstate float128 frompyfunc geomspace getbufsize geterr insert isnat
    longdouble ma matrix matvec memmap nanpercentile nanquantile ndenumerate nditer nested_iters polyder polydiv polyint
    rec recarray record setbufsize seterr spacing strings unstack vecdot vecmat
    """
ARRAY_METHODS = """
    all any argmax argmin argpartition argsort astype choose clip compress conj copy cumprod cumsum diagonal dot fill
    flatten max mean min nonzero partition prod ptp put ravel repeat reshape round searchsorted sort squeeze std sum
    swapaxes take trace transpose var view
    """
READING_METHODS = {"item", "tobytes", "tolist"}
BRING_TO_DEVICE = {"array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray"}
