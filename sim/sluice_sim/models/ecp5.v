// MULT18X18D of the Lattice ECP5, as far as Sluice uses it, after the description in Lattice
// FPGA-TN-02205 (ECP5 and ECP5-5G sysDSP Usage Guide): registers of both operands, of what lies
// between, and of the product, on CLK0. CE1 enables the register of B; CE0, which enables the
// others, is always high, and RST0 always low. Any other use ends the simulation.
module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, CE1, RST0,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
        P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    parameter REG_INPUTA_CLK = "NONE";
    parameter REG_INPUTA_CE = "CE0";
    parameter REG_INPUTA_RST = "RST0";
    parameter REG_INPUTB_CLK = "NONE";
    parameter REG_INPUTB_CE = "CE0";
    parameter REG_INPUTB_RST = "RST0";
    parameter REG_PIPELINE_CLK = "NONE";
    parameter REG_PIPELINE_CE = "CE0";
    parameter REG_PIPELINE_RST = "RST0";
    parameter REG_OUTPUT_CLK = "NONE";
    parameter REG_OUTPUT_CE = "CE0";
    parameter REG_OUTPUT_RST = "RST0";

    localparam taken = REG_INPUTA_CLK != "NONE";
    localparam between = REG_PIPELINE_CLK != "NONE";
    localparam out = REG_OUTPUT_CLK != "NONE";

    initial begin
        if ((taken && REG_INPUTA_CLK != "CLK0") || REG_INPUTB_CLK != REG_INPUTA_CLK
            || (between && REG_PIPELINE_CLK != "CLK0") || (out && REG_OUTPUT_CLK != "CLK0"))
            $fatal(1, "MULT18X18D: the model has no such clock");
        if (REG_INPUTA_CE != "CE0" || REG_INPUTB_CE != "CE1" || REG_PIPELINE_CE != "CE0"
            || REG_OUTPUT_CE != "CE0")
            $fatal(1, "MULT18X18D: the model has no such clock enable");
        if (REG_INPUTA_RST != "RST0" || REG_INPUTB_RST != "RST0" || REG_PIPELINE_RST != "RST0"
            || REG_OUTPUT_RST != "RST0")
            $fatal(1, "MULT18X18D: the model has no such reset");
    end

    wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1,
        A0};
    wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1,
        B0};
    reg [17:0] a_taken = 0, b_taken = 0;
    reg [35:0] product_between = 0, product_out = 0;

    wire signed [18:0] a_used = taken ? {SIGNEDA & a_taken[17], a_taken} : {SIGNEDA & a[17], a};
    wire signed [18:0] b_used = taken ? {SIGNEDB & b_taken[17], b_taken} : {SIGNEDB & b[17], b};
    wire signed [37:0] product = a_used * b_used;
    wire [35:0] later = between ? product_between : product[35:0];

    always @(posedge CLK0) begin
        if (SOURCEA !== 0 || SOURCEB !== 0 || CE0 !== 1 || RST0 !== 0)
            $fatal(1, "MULT18X18D: the model has no such input");
        a_taken <= a;
        if (CE1) b_taken <= b;
        product_between <= product[35:0];
        product_out <= later;
    end

    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
        P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = out
        ? product_out : later;
endmodule
